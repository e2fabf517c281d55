import type { NodeDef } from 'node-red';

/** The options of `influx-provision`, as the editor stores them in the flow. */
export interface InfluxProvisionConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` whose buckets there should be. */
  registry: string;
  /** Id of the `influx-server` that is to have them. */
  server: string;
  /** When to look for differences by itself: a period such as `1h`, or a cron expression; empty: on a message only. */
  schedule: string;
}
