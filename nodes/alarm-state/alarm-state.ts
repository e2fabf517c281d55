import type { Node, NodeAPI } from 'node-red';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import type { Alarms, Deliver, Outcome } from '../lib/alarm/alarms';
import { systemClock } from '../lib/alarm/clock';
import { PackError } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { storeDirectory } from '../lib/runtime/store-directory';
import { alarmMetrics } from './alarm-metrics';
import { DEFAULT_DELAY, type AlarmStateConfig } from './config';
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
      intervalOf: (topic) => registryNode?.registry?.match(topic)?.entry.interval,
      clock: systemClock,
      announce: (announcement, error) => {
        outputs.announce(announcement);
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
      runtime.counters.pending += 1;
      const end = (finish: () => void) => {
        runtime.counters.pending -= 1;
        try {
          finish();
        } catch (error) {
          runtime.fail(done, error);
        }
        runtime.status.touch();
      };
      keeper.use((alarms, problem) => {
        if (intake.what === 'nothing') end(() => outputs.pass('unwatched', done));
        else if (intake.what === 'ignore') end(() => outputs.ignore(intake, message, send, done));
        else if (!alarms) end(() => runtime.fail(done, problem));
        else if (intake.what === 'ask') end(() => outputs.answer(alarms.active(), message, send, done));
        else {
          act(intake, alarms, (outcome, error) =>
            end(() => {
              if (!error) {
                outputs.outcome(outcome, message, send, done);
                return;
              }
              // An alarm that cannot be stored is still one.
              outputs.changes(outcome, message, send);
              runtime.fail(done, error);
            }),
          );
        }
      });
    });

    const open = () => keeper.open();
    // Changes that are still owed must find the nodes that they are sent to.
    RED.events.once('flows:started', open);
    const stopListening = registryNode.changed.add(() => {
      keeper.alarms?.registryChanged();
      runtime.status.touch();
    });
    const stopCollecting = addCollector(() => alarmMetrics(this.id, keeper.alarms?.totals()));
    this.on('close', (done: () => void) => {
      RED.events.off('flows:started', open);
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
