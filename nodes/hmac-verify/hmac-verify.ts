import type { Node, NodeAPI } from 'node-red';
import { keySource, type IotKeyringNode } from '../iot-keyring/iot-keyring';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { PackError } from '../lib/errors';
import { DEFAULT_MAXIMUM_BYTES } from '../lib/protocol/limits';
import { checkView } from '../lib/runtime/check-view';
import { configNode } from '../lib/runtime/config-nodes';
import { MessageNode } from '../lib/runtime/message-node';
import { serveMetrics } from '../lib/runtime/metrics';
import type { HmacVerifyConfig } from './config';
import { Verifier } from './verify';

const REJECTED_OUTPUT = 1;

export default function register(RED: NodeAPI): void {
  function HmacVerify(this: Node, config: HmacVerifyConfig) {
    RED.nodes.createNode(this, config);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const keyringNode = configNode(RED, config.keyring, 'iot-keyring') as IotKeyringNode | undefined;
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: REJECTED_OUTPUT,
      view: (counters, recent) => {
        const view = checkView(RED, this, {
          counters,
          recent,
          trouble: trouble(registryNode, keyringNode),
          deviceOf: (topic) => registryNode?.registry?.match(topic)?.device,
        });
        const isFine = view.intent === 'ok' || view.intent === 'idle';
        if (keyringNode?.weakness === undefined || !isFine) return view;
        return { intent: 'warning', text: RED._('hmac-verify.status.weak-secret', { rest: view.text }) };
      },
    });
    if (!registryNode || !keyringNode) {
      runtime.onInput(() => {
        throw new PackError('not-configured', RED._('hmac-verify.error.not-configured'));
      });
      return;
    }

    const verifier = new Verifier({
      registry: () => runningRegistry(registryNode),
      keyring: keySource(keyringNode),
      maxBytes: Number(config.maxBytes) || DEFAULT_MAXIMUM_BYTES,
    });
    runtime.onPacedInput((message, send, done) => {
      message.received = message.payload;
      const verdict = verifier.verify(message.payload, message.topic ?? '');
      if (!verdict.ok) {
        runtime.reject(message, send, done, verdict);
        return;
      }
      message.payload = verdict.payload;
      message.verified = verdict.verified;
      runtime.pass('verified', message, send, done);
    });

    const stopListening = [registryNode, keyringNode].map((node) => node.changed.add(() => runtime.status.touch()));
    this.on('close', (done: () => void) => {
      for (const stop of stopListening) stop();
      done();
    });
  }

  RED.nodes.registerType('hmac-verify', HmacVerify);
  serveMetrics(RED);
}

function trouble(
  registryNode: IotRegistryNode | undefined,
  keyringNode: IotKeyringNode | undefined,
): string | undefined {
  if (!registryNode || !keyringNode) return 'not-configured';
  if (!registryNode.registry && registryNode.problem) return 'registry-faults';
  if (!keyringNode.keyring && keyringNode.problem) return 'no-keys';
  return undefined;
}
