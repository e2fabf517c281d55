import type { Node, NodeAPI } from 'node-red';
import { configNode } from './config-nodes';

/** The core `tls-config` node: merges its certificates and checks into the options of a connection. */
interface TlsConfigNode extends Node {
  addTLSOptions(options: Record<string, unknown>): Record<string, unknown>;
}

/** The options of a `tls-config` node; undefined when none is chosen. */
export function tlsOptionsOf(RED: NodeAPI, id: string): Record<string, unknown> | undefined {
  const node = configNode(RED, id, 'tls-config') as TlsConfigNode | undefined;
  return node?.addTLSOptions({});
}
