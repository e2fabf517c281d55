import type { WriteOutcome } from './outcome';

const PATIENCE = 3;
/** A line that stands alone is given up only when it has failed so often while others were taken; */
const CONFIRMATIONS = 3;
/** more often where a server in trouble says the same now and then, or only `/ping` speaks for the server. */
const MORE_CONFIRMATIONS = 5;

/** A prime: neighbours are often of one device. */
const STRIDE = 7919;

export interface SuspicionOptions {
  write(line: string): Promise<WriteOutcome>;
  /** Whether the server answers at all. */
  isUp(): Promise<boolean>;
  /** A line behind the lines that are being written; undefined when there is none. */
  nextLine(): Promise<string | undefined>;
  /** Attempts in a row that fail before lines are suspected. Default 3: by then most servers are back. */
  patience?: number;
}

/** What a failed attempt says of the server. */
type Failure = Extract<WriteOutcome, { kind: 'retry' | 'configuration' }>;

/**
 * Whether it is the lines that a server, or a proxy before it, cannot take, though its answer (or that it breaks the connection)
 * says something else. Nobody may wait behind such lines for ever. The proof is another line that is taken meanwhile: a server
 * in trouble, a wrong token or a full disk refuse that too, and then everything waits.
 *
 * To write a line once more does no harm: the one that was written last overwrites itself.
 */
export class Suspicion {
  readonly #options: SuspicionOptions;
  /** The line that was stored last. */
  #witness: string | undefined;
  #batch: readonly string[] = [];
  #failures = 0;
  #looks = 0;
  /** Since the batch began, it has been shown that it is lines. */
  #isFounded = false;
  #alone = { line: '', times: 0 };
  /** Reasons for which a line of the batch was given up: the next one need not be tried as often. */
  readonly #reasons = new Set<string>();

  constructor(options: SuspicionOptions) {
    this.#options = options;
  }

  get isFounded(): boolean {
    return this.#isFounded;
  }

  begin(batch: readonly string[]): void {
    this.#batch = batch;
    this.#isFounded = false;
    this.#reasons.clear();
  }

  /** These lines are stored. */
  hasStored(lines: readonly string[]): void {
    this.#witness = lines.at(-1) ?? this.#witness;
    this.#failures = 0;
  }

  /** An attempt to write these lines has failed: are they to be taken apart or, if it is one, given up? */
  async isOfLines(lines: readonly string[], failure: Failure): Promise<boolean> {
    if (!mayBeOfLines(failure)) return false;
    this.#failures += 1;
    if (this.#failures < (this.#options.patience ?? PATIENCE) && !this.#isFounded) return false;
    const witness = await this.#isOtherTaken(lines);
    const isBroken = failure.kind === 'retry' && failure.brokeOff === true;
    const byPing = witness === undefined && isBroken && lines.length === 1 && (await this.#options.isUp());
    if (witness !== true && !byPing) return false;
    this.#isFounded ||= witness === true;
    if (lines.length > 1 || this.#reasons.has(failure.reason)) return true;
    const [line = ''] = lines;
    const times = this.#alone.line === line ? this.#alone.times + 1 : 1;
    const isSure = times >= (byPing || (failure.kind === 'retry' && !isBroken) ? MORE_CONFIRMATIONS : CONFIRMATIONS);
    this.#alone = isSure ? { line: '', times: 0 } : { line, times };
    if (isSure && !byPing) this.#reasons.add(failure.reason);
    return isSure;
  }

  /** Undefined: there is no other line. */
  async #isOtherTaken(lines: readonly string[]): Promise<boolean | undefined> {
    const other = this.#witness ?? (await this.#other(lines));
    if (other === undefined) return undefined;
    const outcome = await this.#options.write(other);
    if (outcome.kind === 'written') this.#witness = other;
    // A server that says what is wrong with a line is well.
    return outcome.kind === 'written' || outcome.kind === 'partly-written' || outcome.kind === 'refused';
  }

  /** Each time another one, since some of them may be bad as well; by turns one of the next batch, should all of these be. */
  async #other(lines: readonly string[]): Promise<string | undefined> {
    this.#looks += 1;
    const others = lines.length > 1 ? this.#batch : this.#batch.filter((line) => line !== lines[0]);
    const next = this.#looks % 2 === 0 || others.length === 0 ? await this.#options.nextLine() : undefined;
    return next ?? others[(this.#looks * STRIDE) % Math.max(1, others.length)];
  }
}

/** Not where nothing was reached, or the server says itself that it has too much to do. */
function mayBeOfLines(failure: Failure): boolean {
  if (failure.kind === 'configuration') return failure.isAnswer === true;
  return failure.brokeOff === true || (failure.isAnswer === true && failure.retryAfter === undefined);
}
