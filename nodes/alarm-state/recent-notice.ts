import type { NoticeName } from '../lib/alarm/notices';

/** Milliseconds for which the status says what an operator should know. */
const RECENT = 5 * 60_000;

/** What there was to be told in the last minutes. */
export class RecentNotice {
  readonly #over: () => void;
  #name: NoticeName | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param over - there is nothing recent any more */
  constructor(over: () => void) {
    this.#over = over;
  }

  get name(): NoticeName | undefined {
    return this.#name;
  }

  note(name: NoticeName): void {
    this.#name = name;
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#name = undefined;
      this.#over();
    }, RECENT);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
