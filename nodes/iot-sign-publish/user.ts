import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Delivery } from '../influx-server/delivery';
import { reasonOf } from '../lib/errors';
import type { AnswerOutcome } from '../lib/action/journal';
import type { OutboxUser } from '../lib/action/users';
import type { ActionRecord, StepTaken } from '../lib/action/record';
import { lineOf } from '../lib/influx/line-protocol';
import { tally } from '../lib/runtime/counters';
import type { MessageNode } from '../lib/runtime/message-node';
import { MinuteLog } from '../lib/runtime/minute-log';
import type { AnswerJudge } from './judge';
import { actionMessage } from './messages';
import { stepPoint } from './step-point';
import type { Tallies } from './tallies';

const PUBLISHED_OUTPUT = 0;
const ACKNOWLEDGED_OUTPUT = 1;
/** Before a point is offered again to a store that did not take it. */
const LOG_AGAIN = 1000;

/** Characters of a topic or reason that a log line has; a topic may have 65,535. */
const LONGEST_QUOTED = 200;

export interface NodeUserOptions {
  runtime: MessageNode;
  judge: AnswerJudge;
  tallies: Tallies;
  /** Where steps are logged; undefined: nowhere. */
  delivery: Delivery | undefined;
  answerFilters(): readonly string[];
  expectsAnswersOn(topic: string): boolean;
}

/** One `iot-sign-publish` node towards the outbox: its outputs, its log in InfluxDB, its judge of answers. */
export class NodeUser implements OutboxUser {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #options: NodeUserOptions;
  readonly #warnings: MinuteLog;
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(RED: NodeAPI, node: Node, options: NodeUserOptions) {
    this.#RED = RED;
    this.#node = node;
    this.#options = options;
    this.#warnings = new MinuteLog((text) => node.warn(text));
  }

  /** What is not logged by now will be after the next start. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#warnings.close();
  }

  found(action: ActionRecord): void {
    this.#options.tallies.find(action);
    this.changed();
  }

  log(action: ActionRecord, step: StepTaken): Promise<void> {
    const { delivery } = this.#options;
    const point = action.kind === 'action' ? stepPoint(action, step) : undefined;
    if (!delivery || !point) return Promise.resolve();
    let line: string;
    try {
      line = lineOf(point);
    } catch (error) {
      this.report('warn', 'not-logged', { reason: reasonOf(error) });
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const offer = () => {
        if (this.#isClosed) return;
        delivery.accept(point.bucket, 'event', this.#node.id, line, (error) => {
          if (!error) {
            resolve();
            return;
          }
          this.report('warn', 'not-logged', { reason: reasonOf(error) });
          this.#later(offer);
        });
      };
      offer();
    });
  }

  reached(action: ActionRecord, { step }: StepTaken): void {
    const { tallies, runtime } = this.#options;
    tallies.reach(action);
    const message = actionMessage(action, step);
    if (step === 'failed') runtime.sendRejected(message, { code: 'internal', reason: '', ...action.failure });
    else if (step === 'acknowledged') this.#node.send(outputs(ACKNOWLEDGED_OUTPUT, message));
    else this.#node.send(outputs(PUBLISHED_OUTPUT, message));
    this.changed();
  }

  answerFilters(): readonly string[] {
    return this.#options.answerFilters();
  }

  expectsAnswersOn(topic: string): boolean {
    return this.#options.expectsAnswersOn(topic);
  }

  judge(answer: Parameters<AnswerJudge['judge']>[0]): ReturnType<OutboxUser['judge']> {
    const { judge, tallies } = this.#options;
    tallies.answersReceived++;
    let verdict;
    try {
      verdict = judge.judge(answer);
    } catch (error) {
      // No registry or keys in force: the device is asked again, when there are.
      verdict = { ok: false, code: 'no-key', reason: reasonOf(error) } as const;
    }
    if (verdict.ok) return verdict;
    this.#reject(verdict.code, answer.topic, verdict.reason);
    return undefined;
  }

  answered(outcome: AnswerOutcome, topic: string): void {
    const { tallies } = this.#options;
    if (outcome === 'accepted') tallies.answersAccepted++;
    // A device answers to every copy that it gets.
    else if (outcome === 'repeated') tally(tallies.answersRejected, outcome);
    else this.#reject(outcome, topic, 'no action waits for it');
  }

  changed(): void {
    this.#options.runtime.status.touch();
  }

  report(level: 'log' | 'warn', name: string, values: Record<string, string>): void {
    const text = this.#RED._(`iot-sign-publish.report.${name}`, values);
    if (level === 'log') this.#node.log(text);
    else this.#warnings.say(`${name} ${values['reason'] ?? values['kind'] ?? ''}`, text);
  }

  #reject(code: string, topic: string, reason: string): void {
    tally(this.#options.tallies.answersRejected, code);
    const quoted = { topic: cut(topic), reason: cut(reason) };
    const text = this.#RED._('iot-sign-publish.report.answer-rejected', { code, ...quoted });
    this.#warnings.say(`answer ${code}`, text);
  }

  #later(work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, LOG_AGAIN);
    this.#timers.add(timer);
  }
}

/** What others have chosen, as much of it as belongs into a log. */
function cut(text: string): string {
  return text.length <= LONGEST_QUOTED ? text : `${text.slice(0, LONGEST_QUOTED)}…`;
}

function outputs(index: number, message: NodeMessage): (NodeMessage | null)[] {
  return [0, 1].map((output) => (output === index ? message : null));
}
