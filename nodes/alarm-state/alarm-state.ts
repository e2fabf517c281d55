import type { Node, NodeAPI } from 'node-red';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import type { Alarms } from '../lib/alarm/alarms';
import { systemClock } from '../lib/alarm/clock';
import type { Deliver, Outcome } from '../lib/alarm/delivery';
import { PackError, reasonOf } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { afterDeploy, isDeploying } from '../lib/runtime/deploy-gate';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { storeDirectory } from '../lib/runtime/store-directory';
import { alarmMetrics } from './alarm-metrics';
import { DEFAULT_DELAY, type AlarmStateConfig } from './config';
import { finisher } from './finisher';
import { readMessage, type Intake } from './intake';
import { AlarmKeeper } from './keeper';
import { Outputs, type AlarmMessage } from './outputs';
import { alarmView } from './view';

const EVERYTHING_OUTPUT = 1;

export default function register(RED: NodeAPI): void {
  function AlarmState(this: Node, config: AlarmStateConfig) {
    RED.nodes.createNode(this, config);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const log = new MinuteLog((text) => this.warn(text));
    const report = (name: string, values: Record<string, string>) =>
      log.say(`${name} ${values['reason'] ?? ''}`, RED._(`alarm-state.report.${name}`, values));
    const keeper = new AlarmKeeper({
      directory: storeDirectory(RED),
      node: this.id,
      delays: { on: milliseconds(config.onDelay), off: milliseconds(config.offDelay) },
      hasRegistry: () => registryNode?.registry !== undefined,
      intervalOf: (topic) => registryNode?.registry?.match(topic)?.entry.interval,
      isHeld: () => isDeploying(RED),
      clock: systemClock,
      announce: (announcement, error) => {
        try {
          outputs.announce(announcement);
        } catch (fault) {
          this.error(reasonOf(fault));
        }
        if (error) report('not-stored', { reason: error.message });
        runtime.status.touch();
      },
      changed: (problem) => {
        if (problem) report('store-unavailable', { reason: problem.message });
        runtime.status.touch();
      },
      damaged: ({ reason, copy }) => report('damaged', { reason, copy }),
    });
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: EVERYTHING_OUTPUT,
      view: () =>
        alarmView(trouble(registryNode), keeper.problem, keeper.alarms?.totals(), (name, values) =>
          RED._(`alarm-state.status.${name}`, values),
        ),
    });
    const outputs = new Outputs(RED, this, runtime, () => registryNode?.registry);
    if (!registryNode) {
      runtime.onInput(() => {
        throw new PackError('not-configured', RED._('alarm-state.error.not-configured'));
      });
      return;
    }

    runtime.onInput((message: AlarmMessage, send, done) => {
      const intake = readMessage(message, () => runningRegistry(registryNode));
      const end = finisher(runtime, done);
      const finish = (outcome: Outcome, error: PackError | undefined) =>
        end((finished) => {
          if (!error) {
            outputs.outcome(outcome, message, send, finished);
            return;
          }
          // An alarm that cannot be stored is still one.
          outputs.changes(outcome, message, send);
          runtime.fail(finished, error);
        });
      keeper.use((alarms, problem) => {
        try {
          if (intake.what === 'nothing') end((finished) => outputs.pass('unwatched', finished));
          else if (intake.what === 'ignore') end((finished) => outputs.ignore(intake, message, send, finished));
          else if (!alarms) end((finished) => runtime.fail(finished, problem));
          else if (intake.what === 'ask') end((finished) => outputs.answer(alarms.active(), message, send, finished));
          else act(intake, alarms, finish);
        } catch (fault) {
          end((finished) => runtime.fail(finished, fault));
        }
      });
    });

    // Changes that are still owed must find the nodes that they are sent to, at the start and after each deploy.
    const stopFollowing = afterDeploy(RED, () => keeper.resume());
    const stopListening = registryNode.changed.add(() => {
      keeper.alarms?.registryChanged();
      runtime.status.touch();
    });
    const stopCollecting = addCollector(() => alarmMetrics(this.id, keeper.alarms?.totals()));
    this.on('close', (done: () => void) => {
      stopFollowing();
      stopListening();
      stopCollecting();
      // What is under way to this node now is still taken in.
      setImmediate(() => {
        void keeper.close().finally(() => {
          log.close();
          done();
        });
      });
    });
  }

  RED.nodes.registerType('alarm-state', AlarmState);
  serveMetrics(RED);
}

function act(
  intake: Extract<Intake, { what: 'report' | 'acknowledge' | 'forget' }>,
  alarms: Alarms,
  deliver: Deliver<Outcome>,
): void {
  if (intake.what === 'report') alarms.report(intake.source, intake.said, deliver);
  else if (intake.what === 'acknowledge') alarms.acknowledge(intake.id, intake, deliver);
  else alarms.forget(intake.id, intake, deliver);
}

function milliseconds(seconds: number | string): number {
  return (Number(seconds) || DEFAULT_DELAY) * 1000;
}

function trouble(registryNode: IotRegistryNode | undefined): string | undefined {
  if (!registryNode) return 'not-configured';
  return !registryNode.registry && registryNode.problem ? 'registry-faults' : undefined;
}
