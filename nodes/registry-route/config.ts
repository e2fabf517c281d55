import type { NodeDef } from 'node-red';

/** The options of `registry-route`, as the editor stores them in the flow. */
export interface RegistryRouteConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Id of the `iot-registry` that holds the topics. */
  registry: string;
}
