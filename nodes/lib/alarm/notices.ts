import type { Losses } from './kept-alarms';

/** What an operator should know of, though the alarms go on. The names are part of the interface: labels of a metric. */
export type NoticeName =
  /** A message counted though its signed time says that it is old: a clock was or is wrong. */
  | 'clock'
  /** What was cleared, or silent, has been let go, as there was no more room. */
  | 'evicted'
  /** An alarm that is active, or a sensor, for which there is no room: it is told with each message, and not remembered. */
  | 'untracked'
  /** A change that is not announced again after a start, as there are too many. */
  | 'owed';

export interface Notice {
  name: NoticeName;
  /** How many. */
  count: number;
  /** Of which topic, where it is one. */
  topic?: string;
}

/** Counts what is told. */
export class Notices {
  readonly counts: Record<NoticeName, number> = { clock: 0, evicted: 0, untracked: 0, owed: 0 };
  readonly #tell: (notice: Notice) => void;

  /** @param tell - must not throw */
  constructor(tell: (notice: Notice) => void = () => undefined) {
    this.#tell = tell;
  }

  add(name: NoticeName, topic?: string, count = 1): void {
    this.counts[name] += count;
    this.#tell({ name, count, ...(topic !== undefined && { topic }) });
  }

  addLosses(losses: Losses): void {
    for (const name of ['evicted', 'untracked', 'owed'] as const) {
      if (losses[name] > 0) this.add(name, undefined, losses[name]);
    }
  }
}
