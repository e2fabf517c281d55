import type { Node, NodeAPI } from 'node-red';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { PackError } from '../lib/errors';
import { checkView } from '../lib/runtime/check-view';
import { configNode } from '../lib/runtime/config-nodes';
import { MessageNode } from '../lib/runtime/message-node';
import { serveMetrics } from '../lib/runtime/metrics';
import type { RegistryRouteConfig } from './config';
import { route } from './route';

/** The output for each kind; a device's acknowledgement goes with its actions. */
const OUTPUTS = { sensor: 0, alarm: 1, action: 2, acknowledgement: 2 } as const;
const REJECTED_OUTPUT = 3;

export default function register(RED: NodeAPI): void {
  function RegistryRoute(this: Node, config: RegistryRouteConfig) {
    RED.nodes.createNode(this, config);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: REJECTED_OUTPUT,
      view: (counters, recent) => {
        const view = checkView(RED, this, {
          counters,
          recent,
          trouble: trouble(registryNode),
          deviceOf: (topic) => registryNode?.registry?.match(topic)?.device,
        });
        // The newest document cannot be read or has faults, and an earlier one is still in force.
        const isKept = registryNode?.registry !== undefined && registryNode.problem !== undefined;
        if (!isKept || (view.intent !== 'ok' && view.intent !== 'idle')) return view;
        return { intent: 'warning', text: RED._('registry-route.status.registry-kept', { rest: view.text }) };
      },
    });
    if (!registryNode) {
      runtime.onInput(() => {
        throw new PackError('not-configured', RED._('registry-route.error.not-configured'));
      });
      return;
    }

    runtime.onInput((message, send, done) => {
      const registry = runningRegistry(registryNode);
      const result = route(registry, message.topic ?? '', message.payload, message.verified?.text);
      if (!result.ok) {
        if (!('received' in message)) message.received = message.payload;
        runtime.reject(message, send, done, result);
        return;
      }
      message.kind = result.kind;
      if (result.point) message.point = result.point;
      runtime.pass(result.kind, message, send, done, OUTPUTS[result.kind]);
    });

    const stopListening = registryNode.changed.add(() => runtime.status.touch());
    this.on('close', (done: () => void) => {
      stopListening();
      done();
    });
  }

  RED.nodes.registerType('registry-route', RegistryRoute);
  serveMetrics(RED);
}

function trouble(registryNode: IotRegistryNode | undefined): string | undefined {
  if (!registryNode) return 'not-configured';
  return !registryNode.registry && registryNode.problem ? 'registry-faults' : undefined;
}
