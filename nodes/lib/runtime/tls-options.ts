import type { Node, NodeAPI } from 'node-red';
import { PackError } from '../errors';
import { configNode } from './config-nodes';

/** The core `tls-config` node: merges its certificates and checks into the options of a connection. */
interface TlsConfigNode extends Node {
  addTLSOptions(options: Record<string, unknown>): Record<string, unknown>;
}

/**
 * The options of a `tls-config` node; undefined when none is chosen.
 *
 * @throws PackError `not-configured` when the chosen one is not deployed: to go on without it would trust other certificates
 */
export function tlsOptionsOf(RED: NodeAPI, id: string): Record<string, unknown> | undefined {
  if (!id) return undefined;
  const node = configNode(RED, id, 'tls-config') as TlsConfigNode | undefined;
  if (!node) throw new PackError('not-configured', 'The chosen TLS configuration is not deployed yet: deploy it first');
  return node.addTLSOptions({});
}
