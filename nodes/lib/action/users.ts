import type { AnswerOutcome, Journal } from './journal';
import { isFinal, type ActionRecord, type StepTaken } from './record';

/** What a node that publishes has to do with its actions. */
export interface OutboxUser {
  /** An action that was not over when the store was opened, or when the node was started again. */
  found(action: ActionRecord): void;
  /** A step to be logged, perhaps for the second time; resolves when that is safe. */
  log(action: ActionRecord, step: StepTaken): Promise<void>;
  /** A step that a flow wants to hear of: `published`, `acknowledged` or `failed`. After a crash the last one may come again. */
  reached(action: ActionRecord, step: StepTaken): void;
  /** MQTT topic filters of the answers. */
  answerFilters(): readonly string[];
  /** Whether an answer on this topic is for this node to judge. */
  expectsAnswersOn(topic: string): boolean;
  /** Judges an answer, and counts it. */
  judge(answer: ReceivedAnswer): JudgedAnswer | undefined;
  /** Counts an answer that was right, and whether it was to an action that waited for it. */
  answered(outcome: AnswerOutcome, topic: string): void;
  /** The state or the number of pending actions has changed. */
  changed(): void;
  /** For the log; the name of a text in the catalogue. */
  report(level: 'log' | 'warn', name: string, values: Record<string, string>): void;
}

export interface ReceivedAnswer {
  topic: string;
  bytes: Buffer;
  /** The broker had kept it: nobody knows for how long. */
  isRetained: boolean;
}

export interface JudgedAnswer {
  payload: Record<string, unknown>;
}

/** What became of actions whose node is not there is kept so long. */
const KEEP_ORPHANS = 86_400_000;

/** The nodes that the actions of one journal come from, and what they are told. */
export class Users {
  readonly #users = new Map<string, OutboxUser>();
  /** Steps of each action that are being logged. */
  readonly #logging = new Map<string, number>();
  readonly #journal: () => Journal | undefined;
  readonly #forgotten: () => void;

  /**
   * @param journal - in force now
   * @param forgotten - an action is over, and all that belongs to its end is done
   */
  constructor(journal: () => Journal | undefined, forgotten: () => void = () => undefined) {
    this.#journal = journal;
    this.#forgotten = forgotten;
  }

  get(node: string): OutboxUser | undefined {
    return this.#users.get(node);
  }

  has(node: string): boolean {
    return this.#users.has(node);
  }

  /** From now on the node hears of its actions, those included that are in the journal already. */
  add(node: string, user: OutboxUser): void {
    if (this.#users.get(node) === user) return;
    this.#users.set(node, user);
    this.#tellAll(node, user);
  }

  remove(node: string): void {
    this.#users.delete(node);
  }

  /** Another journal is in force. */
  tellEverybody(): void {
    for (const [node, user] of this.#users) this.#tellAll(node, user);
  }

  #tellAll(node: string, user: OutboxUser): void {
    for (const { record, steps } of [...(this.#journal() ?? [])]) {
      if (record.node !== node) continue;
      user.found(record);
      for (const step of steps) this.#log(record, step, user);
      const last = steps.at(-1);
      if (last && isFinal(record) && steps.length === record.steps.length) user.reached(record, last);
    }
  }

  /** A step has been stored. What nobody hears now is told when its node is there. */
  tell(action: ActionRecord, step: StepTaken): void {
    const user = this.#users.get(action.node);
    if (!user) return;
    this.#log(action, step, user);
    if (step.step !== 'created' && step.step !== 'sent') user.reached(action, step);
    user.changed();
  }

  #log(action: ActionRecord, step: StepTaken, user: OutboxUser): void {
    const { id } = action;
    this.#logging.set(id, (this.#logging.get(id) ?? 0) + 1);
    void user.log(action, step).then(() => {
      const left = (this.#logging.get(id) ?? 1) - 1;
      if (left > 0) this.#logging.set(id, left);
      else this.#logging.delete(id);
      const journal = this.#journal();
      if (left > 0 || journal?.isComplete(id) !== true) return;
      journal.forget(id);
      this.#forgotten();
    });
  }

  /** Forgets what nobody has asked for in a day. */
  discardOrphans(now: number): void {
    const journal = this.#journal();
    for (const { record } of [...(journal ?? [])]) {
      if (!this.has(record.node) && now > record.expires + KEEP_ORPHANS) journal?.discard(record.id);
    }
  }
}
