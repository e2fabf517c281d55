import type { NodeDef } from 'node-red';

/** 64 KiB; a signed message of a sensor has a few hundred bytes. */
export const DEFAULT_MAX_BYTES = 65_536;

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
