import type { Day } from './days';

/** What is being done now. */
export interface Progress {
  command: 'backup' | 'verify' | 'restore';
  bucket: string;
  day: Day;
  /** Points that were read or written since the beginning. */
  points: number;
  /** Points a second, since the last report. */
  rate: number;
}

/** Milliseconds between two reports. */
const INTERVAL = 1000;

/** Reports how far something has come, once a second. */
export class ProgressReport {
  readonly #command: Progress['command'];
  readonly #report: (progress: Progress) => void;
  #bucket = '';
  #day = '';
  #points = 0;
  #reported = 0;
  #reportedAt = performance.now();

  constructor(command: Progress['command'], report: (progress: Progress) => void) {
    this.#command = command;
    this.#report = report;
  }

  begin(bucket: string, day: Day): void {
    this.#bucket = bucket;
    this.#day = day;
    this.#tell();
  }

  add(points: number): void {
    this.#points += points;
    this.#tell();
  }

  #tell(): void {
    const passed = performance.now() - this.#reportedAt;
    if (passed < INTERVAL) return;
    const rate = Math.round(((this.#points - this.#reported) * 1000) / passed);
    this.#reported = this.#points;
    this.#reportedAt += passed;
    this.#report({ command: this.#command, bucket: this.#bucket, day: this.#day, points: this.#points, rate });
  }
}
