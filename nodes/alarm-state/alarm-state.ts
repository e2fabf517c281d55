import type { Node, NodeAPI } from 'node-red';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { systemClock } from '../lib/alarm/clock';
import type { Outcome } from '../lib/alarm/delivery';
import { PackError, reasonOf } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { afterDeploy, isDeploying } from '../lib/runtime/deploy-gate';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { shortened } from '../lib/runtime/status';
import { storeDirectory } from '../lib/runtime/store-directory';
import { alarmMetrics } from './alarm-metrics';
import { DEFAULT_DELAY, type AlarmStateConfig } from './config';
import { finisher } from './finisher';
import { readMessage } from './intake';
import { RecentNotice } from './recent-notice';
import { rulesOf } from './rules';
import { AlarmKeeper, type Use } from './keeper';
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
    const recent = new RecentNotice(() => runtime.status.touch());
    const keeper = new AlarmKeeper({
      directory: storeDirectory(RED),
      node: this.id,
      delays: { on: milliseconds(config.onDelay), off: milliseconds(config.offDelay) },
      hasRegistry: () => registryNode?.registry !== undefined,
      rulesOf: (topic) => rulesOf(registryNode?.registry, topic),
      notice: (notice) => {
        recent.note(notice.name);
        report(notice.name, { topic: shortened(notice.topic ?? ''), count: String(notice.count) });
        runtime.status.touch();
      },
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
      putAside: ({ kind, records, fault }) => report(`aside-${fault}`, { kind, records: String(records) }),
    });
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: EVERYTHING_OUTPUT,
      view: () =>
        alarmView(trouble(registryNode), keeper.problem, recent.name, keeper.alarms?.totals(), (name, values) =>
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
      const use: Use = (alarms, problem) => {
        const finish = (outcome: Outcome, error: PackError | undefined) =>
          end((finished) => {
            if (!error) {
              outputs.outcome(outcome, message, send, finished);
              return;
            }
            // An alarm that cannot be stored is still one. Nobody knows whether it is new if what was stored cannot be read.
            outputs.changes(outcome, message, send, problem !== undefined);
            runtime.fail(finished, error);
          });
        try {
          if (intake.what === 'nothing') end((finished) => outputs.pass('unwatched', finished));
          else if (intake.what === 'ignore') end((finished) => outputs.ignore(intake, message, send, finished));
          else if (intake.what === 'report') {
            if (problem && intake.said.active !== undefined) keeper.later(intake.source, intake.said);
            alarms.report(intake.source, intake.said, finish);
          } else if (problem) end((finished) => runtime.fail(finished, problem));
          else if (intake.what === 'ask') end((finished) => outputs.answer(alarms.active(), message, send, finished));
          else if (intake.what === 'acknowledge') alarms.acknowledge(intake.id, intake, finish);
          else alarms.forget(intake.id, intake, finish);
        } catch (fault) {
          end((finished) => runtime.fail(finished, fault));
        }
      };
      try {
        keeper.use(use);
      } catch (fault) {
        end((finished) => runtime.fail(finished, fault));
      }
    });

    // Changes that are still owed must find the nodes that they are sent to, at the start and after each deploy.
    const stopFollowing = afterDeploy(RED, () => keeper.resume());
    const stopListening = registryNode.changed.add(() => {
      keeper.registryChanged();
      runtime.status.touch();
    });
    const stopCollecting = addCollector(() => alarmMetrics(this.id, keeper.alarms));
    this.on('close', (done: () => void) => {
      stopFollowing();
      stopListening();
      stopCollecting();
      // What is under way to this node now is still taken in.
      setImmediate(() => {
        void keeper.close().finally(() => {
          recent.close();
          log.close();
          done();
        });
      });
    });
  }

  RED.nodes.registerType('alarm-state', AlarmState);
  serveMetrics(RED);
}

function milliseconds(seconds: number | string): number {
  return (Number(seconds) || DEFAULT_DELAY) * 1000;
}

function trouble(registryNode: IotRegistryNode | undefined): string | undefined {
  if (!registryNode) return 'not-configured';
  return !registryNode.registry && registryNode.problem ? 'registry-faults' : undefined;
}
