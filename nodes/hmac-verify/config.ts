import type { NodeDef } from 'node-red';

/** The options of `hmac-verify`, as the editor stores them in the flow. */
export interface HmacVerifyConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` that says which device a topic belongs to, and its window of accepted times. */
  registry: string;
  /** Id of the `iot-keyring` that holds the keys. */
  keyring: string;
  /** Longest message accepted, in bytes. */
  maxBytes: number | string;
}
