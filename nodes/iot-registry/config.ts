import type { NodeDef } from 'node-red';

/** Where the registry document is. */
export type RegistrySource = 'inline' | 'file';

/** The options of `iot-registry`, as the editor stores them in the flow. */
export interface IotRegistryConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  source: RegistrySource;
  /** The document itself, YAML or JSON, when `source` is `inline`. */
  document: string;
  /** Path of the document when `source` is `file`; relative paths start at the Node-RED user directory. Watched. */
  file: string;
}
