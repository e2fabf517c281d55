/** Milliseconds of the past that a status tells of. */
export const RECENT = 5 * 60_000;
/** Milliseconds between two samples: so many are held at most as fit into the time. */
const STEP = 10_000;

/**
 * How much numbers that only grow have grown in the last minutes. What happened before, or before the last deploy, must not hide
 * what happens now.
 */
export class Recent<T extends Readonly<Record<string, number>>> {
  readonly #samples: { at: number; totals: T }[];

  /** @param now - milliseconds of a clock that is never set */
  constructor(totals: T, now = performance.now()) {
    this.#samples = [{ at: now, totals }];
  }

  /** Call it again and again, so that there are samples to compare with. */
  growth(totals: T, now = performance.now()): T {
    const samples = this.#samples;
    if (now - (samples.at(-1)?.at ?? 0) >= STEP) samples.push({ at: now, totals });
    while ((samples[1]?.at ?? Infinity) <= now - RECENT) samples.shift();
    const before = samples[0]?.totals ?? totals;
    const grown = Object.entries(totals).map(([name, total]) => [name, Math.max(0, total - (before[name] ?? 0))]);
    return Object.fromEntries(grown) as T;
  }
}
