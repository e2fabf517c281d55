import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, type Gzip } from 'node:zlib';
import { partialName } from './layout';

/** Makes sure that the names in a directory survive a power cut. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory, and needs no such call.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse it; then they keep names by themselves, or nobody can make them.
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/** Copies hold whatever the devices have sent: they are nobody else's to read. */
const OWN_DIRECTORY = 0o700;
const OWN_FILE = 0o600;

/** Makes a directory in one that exists, unless it is there. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, OWN_DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  await syncDirectory(dirname(directory));
}

/** Begins a new file. What has its name goes before, whatever it is: to write through a link would write elsewhere. */
async function create(path: string): Promise<FileHandle> {
  await rm(path, { force: true });
  return open(path, 'wx', OWN_FILE);
}

/** Replaces a file at once: whoever reads it, after a crash too, sees the old text or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const aside = partialName(path);
  try {
    const handle = await create(aside);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Characters that are compressed at once. */
const BLOCK = 128 * 1024;

/** A compressed file that is written aside, and takes its place only when it is complete and on the disk. */
export class CompressedFile {
  readonly #directory: string;
  readonly #aside: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  /** What compresses, and when all of that is in the file; none while nothing is under way. */
  #under: { gzip: Gzip; written: Promise<void> } | undefined;
  #waiting = '';
  #bytes = 0;
  #fault: Error | undefined;

  private constructor(directory: string, aside: string, handle: FileHandle) {
    this.#directory = directory;
    this.#aside = aside;
    this.#handle = handle;
  }

  /** @param name - what it is called while it is written */
  static async create(directory: string, name: string): Promise<CompressedFile> {
    const aside = join(directory, partialName(name));
    return new CompressedFile(directory, aside, await create(aside));
  }

  /** Waits while the disk is slower than what comes. */
  async write(text: string): Promise<void> {
    this.#waiting += text;
    if (this.#waiting.length >= BLOCK) await this.#flush();
  }

  /** Where it is while it is not placed. */
  get path(): string {
    return this.#aside;
  }

  /**
   * Has all that was written so far in the file, where it can be read. What comes behind it can be read by itself too: the file
   * becomes several compressed ones, one behind the other, which is what gzip takes for one.
   *
   * @returns the bytes so far
   */
  async cut(): Promise<number> {
    await this.#flush();
    this.#under?.gzip.end();
    await this.#under?.written;
    this.#under = undefined;
    return this.#bytes;
  }

  /** Completes the file and has it on the disk, still aside. */
  async finish(): Promise<{ bytes: number; sha256: string }> {
    await this.cut();
    await this.#handle.sync();
    await this.#handle.close();
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Gives it its name; call it when it is finished. */
  async place(file: string): Promise<void> {
    await rename(this.#aside, join(this.#directory, file));
    await syncDirectory(this.#directory);
  }

  /** Leaves nothing of it. */
  async discard(): Promise<void> {
    this.#under?.gzip.destroy();
    await this.#under?.written.catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
    await rm(this.#aside, { force: true });
  }

  async #flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    if (this.#fault) throw this.#fault;
    if (text === '') return;
    const { gzip, written } = (this.#under ??= this.#compress());
    if (gzip.write(text)) return;
    await Promise.race([once(gzip, 'drain'), written]);
  }

  #compress(): { gzip: Gzip; written: Promise<void> } {
    const gzip = createGzip();
    const written = pipeline(gzip, async (parts: AsyncIterable<Buffer>) => {
      for await (const part of parts) await this.#append(part);
    });
    written.catch((error: unknown) => (this.#fault = error instanceof Error ? error : new Error(String(error))));
    return { gzip, written };
  }

  async #append(part: Buffer): Promise<void> {
    this.#hash.update(part);
    for (let at = 0; at < part.length;) {
      const { bytesWritten } = await this.#handle.write(part, at);
      at += bytesWritten;
    }
    this.#bytes += part.length;
  }
}
