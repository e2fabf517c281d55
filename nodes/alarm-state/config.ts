import type { NodeDef } from 'node-red';

/** Seconds for which an alarm must be active before it is raised, and inactive before it is cleared. */
export const DEFAULT_DELAY = 0;

/** The options of `alarm-state`, as the editor stores them in the flow. */
export interface AlarmStateConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` that holds the topics. */
  registry: string;
  /** Seconds. */
  onDelay: number | string;
  /** Seconds. */
  offDelay: number | string;
}
