import type { Node, NodeAPI } from 'node-red';
import type { Alarm, ChangeEvent } from '../lib/alarm/alarm';
import type { Announcement, Outcome } from '../lib/alarm/delivery';
import type { Registry } from '../lib/registry/registry';
import { tally } from '../lib/runtime/counters';
import type { Done, MessageNode, PackMessage, Send } from '../lib/runtime/message-node';
import { changePoint } from './change-point';
import type { IgnoreCode } from './intake';

/** `msg.alarm`. */
export interface AlarmView extends Alarm {
  /** What has happened to it; or what a message that changed nothing meant. */
  event: ChangeEvent | 'repeated' | 'pending' | 'ignored';
  by?: string;
  /** It counts though it is signed before others of its topic: a clock was or is wrong. */
  late?: true;
  /** It may have been sent before: Node-RED, or the disk, has failed before that was sure. */
  again?: true;
}

export interface AlarmMessage extends PackMessage {
  retain?: boolean;
  alarm?: AlarmView;
}

const REASONS = {
  outdated: 'one that counts as newer, by its signed time, has come before it',
  'unknown-alarm': 'there is no alarm of this id',
  'not-active': 'the alarm is over, another one than meant, or acknowledged already',
} as const;

/** What leaves an `alarm-state` node: changes by both outputs, all else by the second. */
export class Outputs {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #runtime: MessageNode;
  readonly #registry: () => Registry | undefined;

  constructor(RED: NodeAPI, node: Node, runtime: MessageNode, registry: () => Registry | undefined) {
    this.#RED = RED;
    this.#node = node;
    this.#runtime = runtime;
    this.#registry = registry;
  }

  /** Sends on a message with what became of it. */
  outcome(outcome: Outcome, message: AlarmMessage, send: Send, done: Done): void {
    const { changes, meaning, alarm } = outcome;
    const { passed } = this.#runtime.counters;
    const last = changes.at(-1);
    if (last !== undefined) {
      this.changes(outcome, message, send);
      tally(passed, last.event);
      done();
    } else if (meaning === 'repeated' || meaning === 'pending') {
      if (alarm) show(message, { ...alarm, event: meaning, ...(outcome.verdict && { late: true }) });
      tally(passed, meaning);
      send([null, message]);
      done();
    } else if (meaning === 'alive' || meaning === 'unwatched') {
      this.pass(meaning, done);
    } else {
      this.ignore({ code: meaning, reason: REASONS[meaning] }, message, send, done, alarm);
    }
  }

  /** Lets a message end here. */
  pass(name: string, done: Done): void {
    tally(this.#runtime.counters.passed, name);
    done();
  }

  /** Sends a message for each change that it has brought. */
  changes({ changes, source, verdict }: Outcome, message: AlarmMessage, send: Send, again = false): void {
    if (source === undefined) return;
    for (const [index, change] of changes.entries()) {
      const isLast = index === changes.length - 1;
      const one = isLast ? message : this.#RED.util.cloneMessage<AlarmMessage>(message);
      this.#sendChange({ change, source, again }, one, send, verdict);
    }
  }

  /** Sends a change that no message has brought. */
  announce(announcement: Announcement): void {
    this.#sendChange(announcement, {} as AlarmMessage, (messages) => this.#node.send(messages));
  }

  /** Sends on a message that changes nothing, as it was received. */
  ignore(
    rejection: { code: IgnoreCode; reason: string },
    message: AlarmMessage,
    send: Send,
    done: Done,
    alarm?: Alarm,
  ): void {
    if (!('received' in message)) message.received = message.payload;
    if (alarm) message.alarm = { ...alarm, event: 'ignored' };
    this.#runtime.reject(message, send, done, rejection);
  }

  /** Answers with what is active. */
  answer(alarms: Alarm[], message: AlarmMessage, send: Send, done: Done): void {
    tally(this.#runtime.counters.passed, 'asked');
    message.payload = alarms;
    send([null, message]);
    done();
  }

  #sendChange(
    { change, source, again }: Announcement,
    message: AlarmMessage,
    send: Send,
    verdict?: Outcome['verdict'],
  ): void {
    const { event, alarm, by } = change;
    const more = { ...(by !== undefined && { by }), ...(verdict && { late: true as const }), ...(again && { again }) };
    show(message, { ...alarm, event, ...more });
    message.topic = source.topic;
    message.kind = 'alarm';
    message.point = changePoint(change, source, this.#registry());
    send([message, message]);
  }
}

function show(message: AlarmMessage, view: AlarmView): void {
  message.alarm = view;
  message.payload = view;
}
