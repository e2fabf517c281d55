import type { NodeDef } from 'node-red';

/** The options of `influx-write`, as the editor stores them in the flow. */
export interface InfluxWriteConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `influx-server` that the points go to. */
  server: string;
}
