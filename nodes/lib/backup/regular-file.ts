import { constants } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';

/** Something is there that is not an ordinary file: a link, a pipe, a device, a folder. Nothing of it is read. */
export class NotRegular extends Error {
  constructor() {
    super('is not a regular file');
    this.name = 'NotRegular';
  }
}

/** What Windows does not have is undefined there, and has no effect. */
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a file to read it, if it is a regular one. The folder may be writable for others: a link could lead anywhere, and a
 * pipe would be waited for without end. It is looked at before, because to open a device can have an effect of its own,
 * and afterwards, because it can have been exchanged meanwhile.
 *
 * @throws NotRegular, or what the file system says
 */
export async function openRegular(path: string): Promise<FileHandle> {
  if (!(await lstat(path)).isFile()) throw new NotRegular();
  const handle = await open(path, READ_ONLY).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ELOOP' ? new NotRegular() : error;
  });
  try {
    if (!(await handle.stat()).isFile()) throw new NotRegular();
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Reads a regular file whole, unless it has more than `most` bytes.
 *
 * @returns undefined when it is larger
 * @throws NotRegular, or what the file system says
 */
export async function readRegular(path: string, most: number): Promise<Buffer | undefined> {
  const handle = await openRegular(path);
  try {
    const { size } = await handle.stat();
    if (size > most) return undefined;
    // It may grow meanwhile.
    const bytes = Buffer.alloc(size + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length > size ? undefined : bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}
