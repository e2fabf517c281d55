import type { NodeDef } from 'node-red';

/** Seconds after which an action is not sent any more. */
export const DEFAULT_EXPIRES = 60;

/** The options of `iot-sign-publish`, as the editor stores them in the flow. */
export interface IotSignPublishConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` that holds the topics. */
  registry: string;
  /** Id of the `iot-keyring` that signs. */
  keyring: string;
  /** Id of the core `mqtt-broker`. */
  broker: string;
  /** Id of the `influx-server` where the steps of actions are logged; empty: nowhere. */
  server: string;
  /** Seconds. */
  expires: number | string;
}
