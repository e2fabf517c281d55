type Deliver<Result> = (result: Result | undefined) => void;

interface Waiting<Result> {
  done: boolean;
  result: Result | undefined;
  deliver: Deliver<Result>;
}

/**
 * Calls back in the order in which things were added, each when it and all before it are done; at once if they are. While
 * `isHeld` says so nobody is called; {@link flush} makes up for that.
 */
export class InOrder<Result> {
  readonly #isHeld: () => boolean;
  readonly #waiting: Waiting<Result>[] = [];
  #whenEmpty: (() => void)[] = [];

  constructor(isHeld: () => boolean = () => false) {
    this.#isHeld = isHeld;
  }

  /** @param work - undefined if nothing has to be waited for. Must not reject. */
  add(work: Promise<Result | undefined> | undefined, deliver: Deliver<Result>): void {
    if (work === undefined && this.#waiting.length === 0 && !this.#isHeld()) {
      deliver(undefined);
      return;
    }
    const waiting: Waiting<Result> = { done: work === undefined, result: undefined, deliver };
    this.#waiting.push(waiting);
    void work?.then((result) => {
      waiting.done = true;
      waiting.result = result;
      this.flush();
    });
  }

  /** Resolves when nothing is waiting. */
  settled(): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Calls back for all that is done. */
  flush(): void {
    for (let first = this.#waiting[0]; first?.done === true && !this.#isHeld(); first = this.#waiting[0]) {
      this.#waiting.shift();
      first.deliver(first.result);
    }
    if (this.#waiting.length === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}
