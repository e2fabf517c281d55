import type { Node, NodeAPI } from 'node-red';
import { durationText } from '../hmac-verify/duration';
import type { InfluxServerNode } from '../influx-server/influx-server';
import { keySource, type IotKeyringNode } from '../iot-keyring/iot-keyring';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { PackError, reasonOf } from '../lib/errors';
import type { BrokerAddress } from '../lib/mqtt/session';
import { brokerAddress } from '../lib/runtime/broker';
import { refusalView } from '../lib/runtime/check-view';
import { configNode } from '../lib/runtime/config-nodes';
import { total } from '../lib/runtime/counters';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { storeDirectory } from '../lib/runtime/store-directory';
import { answerFilters } from './answer-topics';
import { compose } from './compose';
import { DEFAULT_EXPIRES, type IotSignPublishConfig } from './config';
import { AnswerJudge } from './judge';
import { Sender } from './sender';
import { attachUser, outboxOf, releaseOutbox } from './shared-outboxes';
import { forgetTallies, talliesOf } from './tallies';
import { NodeUser } from './user';
import { publishView } from './view';

const FAILED_OUTPUT = 2;

export default function register(RED: NodeAPI): void {
  function IotSignPublish(this: Node, config: IotSignPublishConfig) {
    RED.nodes.createNode(this, config);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const keyringNode = configNode(RED, config.keyring, 'iot-keyring') as IotKeyringNode | undefined;
    const serverNode = configNode(RED, config.server, 'influx-server') as InfluxServerNode | undefined;
    const tallies = talliesOf(this.id);
    const address = addressOf(this, config.broker);
    // Without the server that was chosen, what must be logged would not be.
    const isComplete = registryNode && keyringNode && address && (!config.server || serverNode?.delivery);
    const outbox = isComplete
      ? outboxOf({ directory: storeDirectory(RED), broker: config.broker, address })
      : undefined;
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: FAILED_OUTPUT,
      view: (counters, recent) => {
        const view = publishView(
          {
            trouble: isComplete ? troubleOf(registryNode, keyringNode) : 'not-configured',
            storeProblem: outbox?.problem,
            connection: outbox?.connection ?? { state: 'connecting' },
            pending: tallies.pending,
            waiting: outbox?.waiting(this.id) ?? 0,
            done: tallies.done + (counters.passed['sensor'] ?? 0),
            failed: total(tallies.failed) + total(counters.rejected),
          },
          (name, values) => RED._(`iot-sign-publish.status.${name}`, values),
        );
        return (
          (view.intent === 'ok' && refusalView(recent, (topic) => registryNode?.registry?.match(topic)?.device)) || view
        );
      },
    });
    if (!isComplete || !outbox) {
      runtime.onInput(() => {
        throw new PackError('not-configured', RED._('iot-sign-publish.error.not-configured'));
      });
      return;
    }

    const registry = () => runningRegistry(registryNode);
    const keyring = keySource(keyringNode);
    const user = new NodeUser(RED, this, {
      runtime,
      tallies,
      judge: new AnswerJudge({ registry, keyring }),
      delivery: serverNode?.delivery,
      answerFilters: () => (registryNode.registry ? answerFilters(registryNode.registry) : []),
      expectsAnswersOn: (topic) => registryNode.registry?.match(topic)?.kind === 'acknowledgement',
    });
    // Not before all nodes are there that a message may go to.
    const attach = () => attachUser(storeDirectory(RED), config.broker, this.id, user);
    RED.events.on('flows:started', attach);

    const sender = new Sender({
      node: this.id,
      runtime,
      outbox,
      tallies,
      sign: ({ topic, payload }, time, id) =>
        compose(topic, payload, {
          registry: registry(),
          keyring,
          expires: Math.max(1, Math.round(Number(config.expires) || DEFAULT_EXPIRES)),
          newId: () => id,
          time,
          now: Date.now(),
        }),
      clockSetBack: ({ milliseconds, isOrdered }) =>
        user.report('warn', isOrdered ? 'clock-set-back' : 'clock-set-back-far', {
          time: durationText(milliseconds),
        }),
    });
    runtime.onInput((message, send, done) => sender.send(message, send, done));

    const stopListening = [
      registryNode.changed.add(() => {
        outbox.subscribe();
        runtime.status.touch();
      }),
      keyringNode.changed.add(() => runtime.status.touch()),
      addCollector(() => tallies.metrics(this.id, outbox.waiting(this.id))),
      serverNode?.delivery?.listen(this.id, {
        written: () => undefined,
        refused: ({ reason }) => user.report('warn', 'not-logged', { reason }),
        changed: () => undefined,
      }),
    ];
    this.on('close', (removed: boolean, done: () => void) => {
      for (const stop of stopListening) stop?.();
      RED.events.removeListener('flows:started', attach);
      user.close();
      if (removed) forgetTallies(this.id);
      void releaseOutbox(config.broker, this.id, removed).finally(done);
    });
  }

  function addressOf(node: Node, broker: string): BrokerAddress | undefined {
    try {
      return brokerAddress(RED, broker);
    } catch (error) {
      node.error(reasonOf(error));
      return undefined;
    }
  }

  RED.nodes.registerType('iot-sign-publish', IotSignPublish);
  serveMetrics(RED);
}

function troubleOf(registryNode?: IotRegistryNode, keyringNode?: IotKeyringNode): string | undefined {
  if (!registryNode?.registry && registryNode?.problem) return 'registry-faults';
  if (!keyringNode?.keyring && keyringNode?.problem) return 'no-keys';
  return undefined;
}
