import type { IClientOptions } from 'mqtt';
import type { Node, NodeAPI } from 'node-red';
import { PackError } from '../errors';
import { configNode } from './config-nodes';

/**
 * The members of core's `mqtt-broker` that are read here, and nowhere else: it is no documented interface. Nothing is
 * called and nothing registered, so that the node opens no connection for us.
 */
interface MqttBrokerNode extends Node {
  brokerurl: string;
  options: IClientOptions;
}

/** MQTT 3.1 section 3.2: its CONNACK cannot say whether the session was kept. */
const TOO_OLD = 3;

/**
 * How a broker is reached, from the settings of its node: URL, credentials, TLS, protocol. Client id, session and will are
 * that node's own, and left out.
 *
 * @throws PackError `not-configured`
 */
export function brokerAddress(RED: NodeAPI, id: string): { url: string; options: IClientOptions } | undefined {
  const node = configNode(RED, id, 'mqtt-broker') as MqttBrokerNode | undefined;
  if (!node) return undefined;
  // A copy: a connect action may change the node's settings later, and MQTT.js what it is given.
  const options: IClientOptions = { ...node.options };
  if (options.protocolVersion === TOO_OLD) {
    throw new PackError('not-configured', 'MQTT 3.1 cannot tell whether a session was kept: choose MQTT 3.1.1 or 5');
  }
  for (const own of ['will', 'clientId', 'clean'] as const) Reflect.deleteProperty(options, own);
  return { url: node.brokerurl, options };
}
