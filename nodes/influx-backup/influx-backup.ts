import type { Node, NodeAPI } from 'node-red';
import type { InfluxServerNode } from '../influx-server/influx-server';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { isUnfinished } from '../lib/backup/unfinished';
import { PackError, reasonOf } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { tally } from '../lib/runtime/counters';
import { MessageNode } from '../lib/runtime/message-node';
import { serveMetrics } from '../lib/runtime/metrics';
import { schedule, type Schedule } from '../lib/runtime/schedule';
import { inUserDirectory } from '../lib/runtime/user-directory';
import { commandOf, type Command } from './command';
import { DEFAULT_KEEP, type InfluxBackupConfig } from './config';
import { perform, serverDirectory, type Result, type Surroundings } from './perform';
import { inTurn } from './turns';
import { backupView, type BackupState } from './view';

const PROGRESS_OUTPUT = 1;

/** What a schedule asks for. */
const SCHEDULED: Command = { name: 'backup', range: {}, dryRun: false, full: false, shrink: false, hasMoved: false };

export default function register(RED: NodeAPI): void {
  function InfluxBackup(this: Node, config: InfluxBackupConfig) {
    RED.nodes.createNode(this, config);
    const text = (name: string, values?: Record<string, string>) => RED._(`influx-backup.${name}`, values);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const serverNode = configNode(RED, config.server, 'influx-server') as InfluxServerNode | undefined;
    const connection = serverNode?.connection;
    const directory = config.directory.trim();
    const refuse = (status: string, reason: string): void => {
      const view = { intent: 'misconfigured', text: status } as const;
      new MessageNode(RED, this, { rejectedOutput: PROGRESS_OUTPUT, view: () => view }).onInput(() => {
        throw new PackError('not-configured', reason);
      });
    };
    if (!registryNode || !serverNode || !connection || directory === '') {
      refuse(text('status.not-configured'), text('error.not-configured'));
      return;
    }
    let timer: Schedule;
    try {
      timer = schedule(config.schedule, () => runScheduled());
    } catch (error) {
      const reason = reasonOf(error);
      this.error(reason);
      refuse(text('status.schedule'), reason);
      return;
    }

    const closing = new AbortController();
    const state: BackupState = { working: undefined, failure: undefined, result: undefined, next: undefined };
    const surroundings: Surroundings = {
      connection,
      place: serverNode.place,
      buckets: () => runningRegistry(registryNode).buckets,
      directory: inUserDirectory(RED, directory),
      serverName: serverNode.name || serverNode.id,
      keep: Number(config.keep) || DEFAULT_KEEP,
      signal: closing.signal,
      progress: (progress) => {
        state.working = { command: progress.command, progress };
        runtime.status.touch();
        this.send([null, { payload: progress }]);
      },
    };
    const copies = serverDirectory(surroundings.directory, surroundings.serverName);
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: PROGRESS_OUTPUT,
      view: () => backupView({ ...state, next: timer.next() }, (name, values) => text(`status.${name}`, values)),
    });
    /** Commands that wait or are being done. */
    const running = new Set<Promise<void>>();

    /** Rejects with a PackError, after the result is sent where there is one. */
    const run = async (command: Command, send: (result: Result) => void): Promise<void> => {
      try {
        const key = serverDirectory(surroundings.directory, command.copiesOf ?? surroundings.serverName);
        await inTurn(key, closing.signal, async () => {
          state.working = { command: command.name };
          runtime.status.touch();
          const { result, failure } = await perform(command, surroundings);
          state.result = result;
          send(result);
          if (failure !== undefined) throw new PackError('backup-failed', failure);
          state.failure = undefined;
        });
      } catch (error) {
        const failure = error instanceof PackError ? error : failureOf(error);
        state.failure = failure.message;
        throw failure;
      } finally {
        state.working = undefined;
        runtime.status.touch();
      }
    };
    const track = (work: Promise<void>): void => {
      running.add(work);
      void work.finally(() => running.delete(work));
    };

    let isScheduledOneRunning = false;
    const runScheduled = (): void => {
      // A backup that takes longer than its period is followed by the next one that is due when it has ended.
      if (isScheduledOneRunning) return;
      isScheduledOneRunning = true;
      const work = run(SCHEDULED, (payload) => this.send({ payload }))
        .catch((error: unknown) => {
          if (!closing.signal.aborted) this.error(error, { payload: SCHEDULED.name });
        })
        .finally(() => {
          isScheduledOneRunning = false;
        });
      track(work);
    };

    runtime.onInput((message, send, done) => {
      const command = commandOf(message, (name, values) => text(`error.${name}`, values));
      if (command.name === 'backup') runningRegistry(registryNode);
      runtime.counters.pending += 1;
      const work = run(command, (payload) => send({ ...message, payload })).then(
        () => {
          runtime.counters.pending -= 1;
          tally(runtime.counters.passed, command.name);
          done();
        },
        (error: unknown) => {
          runtime.counters.pending -= 1;
          runtime.fail(done, error);
        },
      );
      track(work);
    });

    const continueInterrupted = async (): Promise<void> => {
      try {
        if (await isUnfinished(copies)) runScheduled();
      } catch (error) {
        this.error(failureOf(error), { payload: SCHEDULED.name });
      }
    };
    // A registry in a file may not have been read yet.
    let stopWaiting = (): void => undefined;
    const started = (): void => {
      stopWaiting();
      if (registryNode.registry) track(continueInterrupted());
      else stopWaiting = registryNode.changed.add(started);
    };
    if (config.schedule.trim() !== '') RED.events.once('flows:started', started);

    this.on('close', (done: () => void) => {
      RED.events.removeListener('flows:started', started);
      stopWaiting();
      timer.close();
      closing.abort(new PackError('backup-failed', text('error.closing')));
      void Promise.allSettled([...running]).then(() => done());
    });
  }

  RED.nodes.registerType('influx-backup', InfluxBackup);
  serveMetrics(RED);
}

function failureOf(error: unknown): PackError {
  return new PackError('backup-failed', reasonOf(error), { cause: error });
}
