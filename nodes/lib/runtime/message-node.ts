import type { Node, NodeAPI, NodeMessage, NodeMessageInFlow } from 'node-red';
import { PackError, reasonOf } from '../errors';
import type { Kind, Point } from '../point';
import { quoted, shorten } from '../shorten';
import { countersOf, forgetCounters, tally, total, type MessageCounters } from './counters';
import { deployGate } from './deploy-gate';
import { limitErrors } from './error-limit';
import { MinuteLog } from './minute-log';
import { Pace } from './pace';
import { Recent } from './recent';
import { StatusDisplay, type StatusView } from './status';

/** Why a message left by a rejected output. */
export interface Rejection {
  /** Stable, one of the node's own codes. */
  code: string;
  reason: string;
  /** Each fault of the payload, where there are several. */
  faults?: readonly { path: string; reason: string }[];
}

/** The message properties that the nodes of this pack read and write; they touch no others. */
export interface PackMessage extends NodeMessageInFlow {
  /** The message as it was received, byte for byte. */
  received?: unknown;
  verified?: { text: string };
  kind?: Kind | 'acknowledgement';
  point?: Point;
  rejected?: Rejection & { by: string; at: number };
}

/** What became of the messages of the last minutes. */
export interface RecentMessages {
  passed: number;
  /** Rejected, at once or later, or ended in an error. */
  refused: number;
  /** Why the newest of these was refused, and the topic it came by. */
  newest: { code: string; topic?: string } | undefined;
}

/** Characters of a topic that are kept to be shown. */
const LONGEST_TOPIC = 1000;

export type Send = (message: NodeMessage | (NodeMessage | null)[]) => void;
export type Done = (error?: Error) => void;
export type Handler = (message: PackMessage, send: Send, done: Done) => void;
type Input = Parameters<Handler>;

/**
 * What every node with an input does around its own work: counts, shows its status, sends rejected messages on, turns
 * whatever is thrown into one `done(error)`, and leaves nothing behind when it is closed.
 */
export class MessageNode {
  readonly counters: MessageCounters;
  readonly status: StatusDisplay;
  readonly #node: Node & { wires?: string[][] };
  readonly #gate: ReturnType<typeof deployGate>;
  readonly #log: MinuteLog;
  readonly #rejectedOutput: number;
  readonly #recent: Recent<{ passed: number; refused: number }>;
  /** Rejected, or ended in an error; what comes to be rejected later, such as a point that InfluxDB refuses, counts too. */
  #refusals = 0;
  #newest: RecentMessages['newest'];
  #pace: Pace<Input> | undefined;

  /**
   * @param rejectedOutput - index of the output for rejected messages
   * @param view - makes the status, when it is time to show it
   */
  constructor(
    RED: NodeAPI,
    node: Node,
    options: { rejectedOutput: number; view: (counters: MessageCounters, recent: RecentMessages) => StatusView },
  ) {
    this.#node = node;
    this.#rejectedOutput = options.rejectedOutput;
    this.#gate = deployGate(RED);
    this.#log = new MinuteLog((text) => node.warn(text));
    this.counters = countersOf(node);
    this.#recent = new Recent(this.#totals());
    this.status = new StatusDisplay(node, () => options.view(this.counters, this.#recentMessages()));
    const stopLimiting = limitErrors(RED, node);
    node.on('close', (removed: boolean, done: () => void) => {
      this.status.close();
      this.#log.close();
      stopLimiting();
      if (removed) forgetCounters(node.id);
      // Core delivers in the next turn of the event loop, and a node that has closed gets nothing: what is under way to
      // this one now must still find it open, and goes to the gate.
      setImmediate(() => {
        this.#pace?.flush();
        if (removed) this.#gate.forget(node.id);
        done();
      });
    });
  }

  /** Calls the handler for every message; what it throws ends that message alone. */
  onInput(handle: Handler): void {
    this.#node.on('input', (message, send, done) => this.#receive(handle, message, send, done));
  }

  /** The same for a node where messages come in thousands at once: it sees a few of them in each turn of the event loop. */
  onPacedInput(handle: Handler): void {
    const pace = new Pace<Input>(
      ([message, send, done]) => this.#receive(handle, message, send, done),
      ([message]) => sizeOf(message),
    );
    this.#node.on('input', (message, send, done) => pace.take([message, send, done]));
    this.#pace = pace;
  }

  #receive(handle: Handler, message: PackMessage, send: Send, done: Done): void {
    // Its done() is called when it comes in again, after the deploy.
    if (this.#gate.holds(this.#node.id, message)) return;
    this.counters.received += 1;
    try {
      handle(message, send, done);
    } catch (error) {
      this.fail(done, error);
    }
    this.status.touch();
  }

  /** The message has done its part here and goes on by the first output, or by the given one. */
  pass(name: string, message: PackMessage, send: Send, done: Done, output = 0): void {
    tally(this.counters.passed, name);
    send(output === 0 ? message : toOutput(output, message));
    done();
  }

  /** Gives the message back as it was received, with the reason. */
  reject(message: PackMessage, send: Send, done: Done, rejection: Rejection): void {
    tally(this.counters.rejected, rejection.code);
    message.payload = message.received;
    // What was proven of the message, or made from it, must not stay on bytes that can be sent in again.
    delete message.verified;
    delete message.point;
    delete message.kind;
    this.sendRejected(message, rejection, send);
    done();
  }

  /** Sends a message to the rejected output. The log has it too, once a minute a code: what is wired may lead nowhere. */
  sendRejected(message: NodeMessage, rejection: Rejection, send: Send = (outputs) => this.#node.send(outputs)): void {
    const { code, reason, faults } = rejection;
    const { topic } = message;
    this.#refusals += 1;
    this.#newest = { code, ...(topic !== undefined && { topic: shorten(topic, LONGEST_TOPIC) }) };
    this.#log.say(code, `${code}: ${reason}${topic === undefined ? '' : ` (topic ${quoted(topic)})`}`);
    if (!this.#isWired()) return;
    message.rejected = { code, reason, ...(faults && { faults }), by: this.#node.id, at: Date.now() };
    send(toOutput(this.#rejectedOutput, message));
  }

  /** The message cannot be handled until an operator has put something right. */
  fail(done: Done, error: unknown): void {
    const failure = error instanceof Error ? error : new Error(reasonOf(error));
    const code = failure instanceof PackError ? failure.code : 'internal';
    tally(this.counters.failed, code);
    this.#refusals += 1;
    this.#newest = { code };
    this.status.touch();
    done(failure);
  }

  #totals(): { passed: number; refused: number } {
    return { passed: total(this.counters.passed), refused: this.#refusals };
  }

  #recentMessages(): RecentMessages {
    return { ...this.#recent.growth(this.#totals()), newest: this.#newest };
  }

  #isWired(): boolean {
    const wires = this.#node.wires?.[this.#rejectedOutput];
    return wires !== undefined && wires.length > 0;
  }
}

/** Bytes of what a message carries, about. What is neither bytes nor text has been parsed from them, and is not measured. */
function sizeOf({ payload, topic }: PackMessage): number {
  const carried = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
  return carried + (topic?.length ?? 0);
}

function toOutput(output: number, message: NodeMessage): (NodeMessage | null)[] {
  const outputs: (NodeMessage | null)[] = new Array<null>(output + 1).fill(null);
  outputs[output] = message;
  return outputs;
}
