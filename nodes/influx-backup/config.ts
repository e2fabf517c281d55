import type { NodeDef } from 'node-red';

/** Days kept of each bucket; 0: all. */
export const DEFAULT_KEEP = 0;

/** The options of `influx-backup`, as the editor stores them in the flow. */
export interface InfluxBackupConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` whose buckets are copied. */
  registry: string;
  /** Id of the `influx-server` that holds them. */
  server: string;
  /** Where the copies go; it must exist. Relative paths start at the Node-RED user directory. */
  directory: string;
  /** When to make a backup by itself: a period such as `1d`, or a cron expression; empty: on a message only. */
  schedule: string;
  /** How many days are kept of each bucket, the latest ones; 0: all. */
  keep: number | string;
}
