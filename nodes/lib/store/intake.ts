import type { Lane, OpenChunk, StoredCallback } from './lane';
import type { Counters } from './totals';

export interface IntakeOptions {
  /** Lines of a full chunk. */
  chunkLines: number;
  /** Milliseconds after which a line is due. */
  chunkMilliseconds: number;
  /** What has come is to be stored. */
  onDue: () => void;
}

/** Accepted lines that are not stored yet. */
export class Intake {
  readonly #options: IntakeOptions;
  #chunks: OpenChunk[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** @param counters - the origin's. */
  add(lane: Lane, origin: string, counters: Counters, line: string, stored: StoredCallback): void {
    const chunk = lane.open.get(origin) ?? this.#open(lane, origin, counters);
    chunk.lines.push(line);
    chunk.stored.push(stored);
    counters.accepting++;
    if (line.includes('\n')) chunk.multiline = true;
    if (chunk.lines.length < this.#options.chunkLines) return;
    // A burst makes several chunks: none gets larger while another one is being stored.
    lane.open.delete(origin);
    this.#options.onDue();
  }

  /** Everything that has come: chunks that are not full cost a record each, but no further fsync. */
  take(): OpenChunk[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const { lane } of chunks) lane.open.clear();
    return chunks;
  }

  #open(lane: Lane, origin: string, counters: Counters): OpenChunk {
    const chunk = { lane, origin, counters, acceptedAt: Date.now(), lines: [], stored: [], multiline: false };
    lane.open.set(origin, chunk);
    this.#chunks.push(chunk);
    // One timer for all. It keeps the process alive: a point that was taken is stored before the process may end by itself.
    this.#timer ??= setTimeout(this.#options.onDue, this.#options.chunkMilliseconds);
    return chunk;
  }
}
