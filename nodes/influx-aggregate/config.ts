import type { NodeDef } from 'node-red';

/** Seconds between the end of a window and its computation. */
export const DEFAULT_GRACE = 30;

/** The same on InfluxDB 3.x, where a result cannot be replaced by what late points make of it. */
export const LONG_GRACE = 300;

/** The options of `influx-aggregate`, as the editor stores them in the flow. */
export interface InfluxAggregateConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` that says what to aggregate. */
  registry: string;
  /** Id of the `influx-server` that holds the points and gets the results. */
  server: string;
  /** Seconds to wait for late points after the end of a window; empty: as long as suits the server. */
  grace: number | string;
}
