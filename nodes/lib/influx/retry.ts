export interface BackoffOptions {
  /** Milliseconds before the second attempt. */
  first: number;
  /** Milliseconds that no wait exceeds. */
  longest: number;
}

/** The server cannot be reached or has too much to do. */
export const RETRY: BackoffOptions = { first: 1000, longest: 60_000 };
/** An operator must put something right; when that is done, it should be noticed soon. */
export const CONFIGURATION: BackoffOptions = { first: 2000, longest: 30_000 };

/** A server that asks for more patience than this is asked again all the same. */
const LONGEST_RETRY_AFTER = 3600;
/** Waits differ by up to this part, so that several buckets, and several Node-REDs, do not all come back at once. */
const JITTER = 0.2;

/** How long to wait before the next attempt: twice as long each time. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /**
   * @param retryAfter - seconds that the server wishes
   * @returns milliseconds
   */
  next(retryAfter?: number): number {
    const { first, longest } = this.#options;
    const delay = Math.min(longest, first * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    if (retryAfter !== undefined && retryAfter > 0) return Math.min(retryAfter, LONGEST_RETRY_AFTER) * 1000;
    return Math.round(delay * (1 - JITTER * this.#random()));
  }

  reset(): void {
    this.#failures = 0;
  }
}
