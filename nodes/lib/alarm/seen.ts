import { crc32c } from '../store/crc32c';
import { isLater } from './verdict';

/** Messages of one alarm that are remembered one by one, at least: reminders every ten seconds for twenty minutes. */
export const LEAST_SEEN = 128;

/** Some messages, four bytes each; and the newest signed time among them. */
class Generation {
  marks = new Uint32Array(8);
  count = 0;
  newest = '';

  add(mark: number, time: string): void {
    if (this.count === this.marks.length) {
      const longer = new Uint32Array(this.marks.length * 2);
      longer.set(this.marks);
      this.marks = longer;
    }
    this.marks[this.count] = mark;
    this.count += 1;
    if (isLater(time, this.newest)) this.newest = time;
  }

  has(mark: number): boolean {
    const place = this.marks.indexOf(mark);
    return place >= 0 && place < this.count;
  }
}

interface Stored {
  young: [marks: string, newest: string];
  old: [marks: string, newest: string];
  faded: string;
}

/**
 * The newest messages of an alarm, so that a copy of one of them is known for what it is, whatever any clock says; of those
 * before them, only up to when they were signed. A message that is taken for another, once in some ten million, counts with
 * its next repetition.
 */
export class SeenMessages {
  #young = new Generation();
  #old = new Generation();
  /** Newest signed time of those that are not remembered one by one any more; empty if there are none. */
  #faded = '';

  /** What {@link toJSON} has made; empty for anything else. */
  static from(stored: unknown): SeenMessages {
    const seen = new SeenMessages();
    const { young, old, faded } = Object(stored) as Partial<Record<keyof Stored, unknown>>;
    seen.#young = read(young);
    seen.#old = read(old);
    if (isTime(faded)) seen.#faded = faded;
    return seen;
  }

  /** Bytes that this takes in memory. */
  get bytes(): number {
    return this.#young.marks.byteLength + this.#old.marks.byteLength;
  }

  get faded(): string {
    return this.#faded;
  }

  has(time: string, active: boolean): boolean {
    const mark = markOf(time, active);
    return this.#young.has(mark) || this.#old.has(mark);
  }

  add(time: string, active: boolean): void {
    if (this.#young.count >= LEAST_SEEN) {
      if (isLater(this.#old.newest, this.#faded)) this.#faded = this.#old.newest;
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(markOf(time, active), time);
  }

  toJSON(): Stored {
    return { young: write(this.#young), old: write(this.#old), faded: this.#faded };
  }
}

function markOf(time: string, active: boolean): number {
  return crc32c(Buffer.from(`${time} ${active}`, 'latin1'));
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{0,19}$/.test(value);
}

function write({ marks, count, newest }: Generation): [string, string] {
  const bytes = Buffer.alloc(count * 4);
  for (let index = 0; index < count; index++) bytes.writeUInt32LE(marks[index] ?? 0, index * 4);
  return [bytes.toString('base64'), newest];
}

function read(stored: unknown): Generation {
  const generation = new Generation();
  const [marks, newest] = Array.isArray(stored) ? (stored as unknown[]) : [];
  const bytes = Buffer.from(typeof marks === 'string' ? marks : '', 'base64');
  for (let at = 0; at + 4 <= bytes.length && generation.count < LEAST_SEEN; at += 4) {
    generation.add(bytes.readUInt32LE(at), isTime(newest) ? newest : '');
  }
  return generation;
}
