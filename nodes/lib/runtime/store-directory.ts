import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { inUserDirectory } from './user-directory';

/** Where the pack's store lies: `influxServerStore` of the settings file, else `mqtt2influx/store` in the user directory. */
export function storeDirectory(RED: NodeAPI): string {
  const { influxServerStore } = RED.settings as { influxServerStore?: unknown };
  const chosen = typeof influxServerStore === 'string' && influxServerStore !== '' ? influxServerStore : undefined;
  return inUserDirectory(RED, chosen ?? join('mqtt2influx', 'store'));
}
