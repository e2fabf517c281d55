import { open, readFile, stat } from 'node:fs/promises';
import type { NodeAPI } from 'node-red';
import { reasonOf } from '../lib/errors';
import { EndpointError, addJsonEndpoint, textMember } from '../lib/runtime/endpoint';
import { inUserDirectory } from '../lib/runtime/user-directory';
import { isEncoding } from './config';
import { LARGEST_FILE, parseDeviceKeyFile } from './device-key-file';

/** What the dialog is told of a device-key file. */
export interface KeyFileAnswer {
  state: 'missing' | 'good' | 'faulty';
  devices: number;
  revoked: number;
  /** What is wrong with a faulty one; never what is in it. */
  reason: string;
}

const NEW_FILE = `# A line for each device that has a key of its own:   id: secret
# A device whose key must not be accepted any more:   id: null
{}
`;

/**
 * Adds the endpoint that looks at a device-key file, and makes one. Any file can be named, so it takes the permission to
 * deploy flows, with which any file can be read anyway.
 */
export function addKeyFileEndpoint(RED: NodeAPI): void {
  addJsonEndpoint(RED, 'iot-keyring/file', 'flows.write', async (body): Promise<KeyFileAnswer> => {
    const file = textMember(body, 'file').trim();
    const encoding = textMember(body, 'encoding');
    if (file === '') throw new EndpointError('no-file', RED._('iot-keyring.error.no-file'));
    if (!isEncoding(encoding)) throw new EndpointError('invalid-settings', 'There is no such way to write a secret');
    const path = inUserDirectory(RED, file);
    if (body['make'] === true) await make(path);
    try {
      const found = await stat(path);
      if (!found.isFile()) return faulty('it is no file');
      if (found.size > LARGEST_FILE) return faulty(`it has more than ${LARGEST_FILE} bytes`);
      const keys = parseDeviceKeyFile(await readFile(path, 'utf8'), encoding);
      const revoked = [...keys.values()].filter((secret) => secret === null).length;
      return { state: 'good', devices: keys.size - revoked, revoked, reason: '' };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { state: 'missing', devices: 0, revoked: 0, reason: '' };
      return faulty(reasonOf(error));
    }
  });
}

/** Never over a file that is there. For the user of Node-RED alone. */
async function make(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(NEW_FILE);
    await file.sync();
    await file.close();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw new EndpointError('not-made', reasonOf(error));
  }
}

function faulty(reason: string): KeyFileAnswer {
  return { state: 'faulty', devices: 0, revoked: 0, reason };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
