import { isAbsolute, join } from 'node:path';
import type { NodeAPI } from 'node-red';

/** A path as an operator writes it: absolute, or starting at the Node-RED user directory. */
export function inUserDirectory(RED: NodeAPI, path: string): string {
  return isAbsolute(path) ? path : join(RED.settings.userDir ?? process.cwd(), path);
}
