import { randomBytes } from 'node:crypto';
import { systemClock } from '../lib/action/clock';
import type { NewAction } from '../lib/action/journal';
import type { Outbox } from '../lib/action/outbox';
import type { SignedTime } from '../lib/action/signed-times';
import { tally } from '../lib/runtime/counters';
import type { Done, MessageNode, PackMessage, Send } from '../lib/runtime/message-node';
import type { NotSigned, SignedMessage } from './compose';
import { viewOf, type ActionView } from './messages';
import type { Tallies } from './tallies';

export interface PublishMessage extends PackMessage {
  action?: ActionView;
}

export interface SenderOptions {
  /** Id of the node. */
  node: string;
  runtime: MessageNode;
  outbox: Outbox;
  tallies: Tallies;
  /** Signs what a message asks for; a message has one id, however often it is signed. */
  sign(message: PublishMessage, time: string, id: string): SignedMessage | NotSigned;
  /** The clock was set back, and an action is signed nevertheless. */
  clockSetBack(by: NonNullable<SignedTime['setBack']>): void;
}

/** Has the messages of a node published. */
export class Sender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  send(message: PublishMessage, send: Send, done: Done): void {
    const id = randomBytes(16).toString('hex');
    const signed = this.#options.sign(message, systemClock.next(), id);
    if (!signed.ok) this.#reject(signed, message, send, done);
    else if (signed.kind === 'sensor') this.#publishOnce(signed, message, send, done);
    else if (signed.kind === 'alarm') this.#createAlarm(signed, message, id, done);
    else this.#createAction(signed, message, id, send, done);
  }

  #reject(refusal: NotSigned, message: PublishMessage, send: Send, done: Done): void {
    const { runtime } = this.#options;
    tally(runtime.counters.rejected, refusal.code);
    runtime.sendRejected(message, refusal, send);
    runtime.status.touch();
    done();
  }

  #publishOnce(signed: SignedMessage, message: PublishMessage, send: Send, done: Done): void {
    const { runtime, outbox } = this.#options;
    runtime.counters.pending += 1;
    outbox.publishOnce(signed.topic, signed.message).then(
      () => {
        runtime.counters.pending -= 1;
        message.payload = signed.payload;
        runtime.pass('sensor', message, send, done);
      },
      (error: unknown) => {
        runtime.counters.pending -= 1;
        runtime.fail(done, error);
      },
    );
  }

  #createAlarm(signed: SignedMessage, message: PublishMessage, id: string, done: Done): void {
    const { runtime, outbox, tallies } = this.#options;
    const alarm = this.#actionOf(signed, message, id);
    runtime.counters.pending += 1;
    tallies.create(alarm);
    outbox.create(alarm).then(
      () => this.#created(alarm, message, done),
      (error: unknown) => this.#notCreated(alarm, error, done),
    );
  }

  /** Its time is given when it is its turn to be stored: that order is the one in which devices must get them. */
  #createAction(checked: SignedMessage, message: PublishMessage, id: string, send: Send, done: Done): void {
    const { runtime, outbox, tallies } = this.#options;
    let action: NewAction | undefined;
    let refusal: NotSigned | undefined;
    const sign = ({ time, setBack }: SignedTime): NewAction | undefined => {
      const signed = this.#options.sign(message, time, id);
      if (!signed.ok) {
        // Registry or keys have changed since it was checked.
        refusal = signed;
        return undefined;
      }
      if (setBack) this.#options.clockSetBack(setBack);
      action = this.#actionOf(signed, message, id);
      tallies.create(action);
      return action;
    };
    runtime.counters.pending += 1;
    outbox.createAction(checked.topic, checked.supersedes, sign).then(
      () => {
        if (action) this.#created(action, message, done);
        else if (refusal) {
          runtime.counters.pending -= 1;
          this.#reject(refusal, message, send, done);
        }
      },
      (error: unknown) => this.#notCreated(action, error, done),
    );
  }

  #created(action: NewAction, message: PublishMessage, done: Done): void {
    const { runtime } = this.#options;
    runtime.counters.pending -= 1;
    tally(runtime.counters.passed, action.kind);
    // For a complete node: this is the action that the message has become.
    message.action = viewOf(action, 'created');
    done();
    runtime.status.touch();
  }

  #notCreated(action: NewAction | undefined, error: unknown, done: Done): void {
    const { runtime, tallies } = this.#options;
    runtime.counters.pending -= 1;
    if (action) tallies.withdraw(action);
    runtime.fail(done, error);
  }

  #actionOf(signed: SignedMessage, { _msgid: origin }: PublishMessage, id: string): NewAction {
    const { kind, topic, device, message, point, expires, answer } = signed;
    const { bucket, measurement, tags, fields } = point;
    return {
      id,
      kind: kind === 'alarm' ? 'alarm' : 'action',
      node: this.#options.node,
      origin,
      topic,
      ...(device !== undefined && { device }),
      message,
      created: Date.now(),
      expires,
      ...(answer && { answer }),
      point: { bucket, measurement, tags, fields },
    };
  }
}
