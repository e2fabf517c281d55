import type { StoredChunk } from './chunk';
import { chunkKey, chunkPrefix, laneKey, type KeyRange, type Priority } from './keys';
import { adjustShare, type Ledger, type Share } from './ledger';
import type { PackError } from '../errors';
import type { Counters } from './totals';

/** Called once for each point: it is on the disk and survives a power cut, or why not. */
export type StoredCallback = (error?: PackError) => void;

/** The part of a stored chunk that the queue must know while somebody has it. */
export type ChunkHead = Pick<
  StoredChunk,
  'bucket' | 'priority' | 'sequence' | 'origin' | 'points' | 'bytes' | 'acceptedAt'
>;

/** Lines that are not stored yet, of one lane and origin. */
export interface OpenChunk {
  readonly lane: Lane;
  readonly origin: string;
  readonly acceptedAt: number;
  readonly lines: string[];
  /** For each line, whom to tell. */
  readonly stored: StoredCallback[];
  /** The origin's. */
  readonly counters: Counters;
  /** A line holds a line break. */
  multiline: boolean;
}

/**
 * The points of one bucket and priority. Of the chunks in the store only those are in memory that somebody holds: they
 * are being written to InfluxDB, or being dropped. All others *wait*.
 *
 * Every waiting chunk has a sequence from `cursor` up to, not including, `next`.
 */
export class Lane {
  readonly bucket: string;
  readonly priority: Priority;
  readonly ledgerKey: string;
  readonly #prefix: string;

  /** What is in the store, as the last ledger says. */
  shares = new Map<string, Share>();
  next = 0;
  head = 0;

  cursor = 0;
  readonly held = new Map<number, ChunkHead>();
  waitingChunks = 0;
  waitingPoints = 0;
  /** Points that have ever been added: tells a reader what came while it was reading. */
  addedPoints = 0;
  /** Counts releases: waiting chunks may then be before where somebody has begun to read. */
  releases = 0;

  /** By origin. */
  readonly open = new Map<string, OpenChunk>();
  /** The first waiting chunks, as far as somebody has looked for the oldest; without those that were held since. */
  peeked: ChunkHead[] = [];
  /** Reads of this lane go one after another. */
  reading: Promise<unknown> = Promise.resolve();
  /** Bytes removed since LevelDB was told to give their space back. */
  removedBytes = 0;

  constructor(server: string, bucket: string, priority: Priority) {
    this.bucket = bucket;
    this.priority = priority;
    this.ledgerKey = laneKey(server, bucket, priority);
    this.#prefix = chunkPrefix(server, bucket, priority);
  }

  key(sequence: number): string {
    return chunkKey(this.#prefix, sequence);
  }

  /** From one sequence up to, not including, another. */
  range(from: number, to: number): KeyRange {
    return { gte: this.key(from), lt: this.key(to) };
  }

  /** In the store, held or waiting. */
  get points(): number {
    let points = 0;
    for (const share of this.shares.values()) points += share.points;
    return points;
  }

  get bytes(): number {
    let bytes = 0;
    for (const share of this.shares.values()) bytes += share.bytes;
    return bytes;
  }

  /** Every chunk with a lower sequence has left the lane. */
  lowest(): number {
    let lowest = this.waitingChunks === 0 ? this.next : this.cursor;
    for (const sequence of this.held.keys()) lowest = Math.min(lowest, sequence);
    return lowest;
  }

  isWaiting(sequence: number): boolean {
    return sequence >= this.cursor && !this.held.has(sequence);
  }

  hold(chunk: ChunkHead): void {
    this.held.set(chunk.sequence, chunk);
    this.waitingChunks--;
    this.waitingPoints -= chunk.points;
  }

  release(chunk: ChunkHead): void {
    this.held.delete(chunk.sequence);
    this.waitingChunks++;
    this.waitingPoints += chunk.points;
    this.cursor = Math.min(this.cursor, chunk.sequence);
    this.peeked = [];
    this.releases++;
  }

  /** What the lane will be when the chunks have been added and removed; nothing is changed yet. */
  planned(added: readonly ChunkHead[], removed: readonly ChunkHead[]): Ledger {
    const shares = new Map(this.shares);
    for (const chunk of added) adjustShare(shares, chunk, 1);
    for (const chunk of removed) adjustShare(shares, chunk, -1);
    return {
      head: removed.length > 0 ? this.#headWithout(removed) : this.head,
      next: this.next + added.length,
      shares,
    };
  }

  /** The planned is in the store. */
  apply(plan: Ledger, added: readonly ChunkHead[], removed: readonly ChunkHead[]): void {
    this.shares = plan.shares;
    this.next = plan.next;
    this.head = plan.head;
    for (const chunk of added) {
      this.waitingChunks++;
      this.waitingPoints += chunk.points;
      this.addedPoints += chunk.points;
    }
    for (const chunk of removed) {
      this.held.delete(chunk.sequence);
      this.removedBytes += chunk.bytes;
    }
  }

  /** Takes over what was found in the store when it was opened; chunks that somebody holds stay held. */
  load(found: Ledger): void {
    this.shares = found.shares;
    this.next = Math.max(this.next, found.next);
    this.head = found.head;
    this.cursor = found.head;
    this.peeked = [];
    this.releases++;
    this.waitingChunks = 0;
    this.waitingPoints = 0;
    for (const share of found.shares.values()) {
      this.waitingChunks += share.chunks;
      this.waitingPoints += share.points;
    }
    for (const chunk of this.held.values()) {
      this.waitingChunks--;
      this.waitingPoints -= chunk.points;
    }
  }

  #headWithout(removed: readonly ChunkHead[]): number {
    const leaving = new Set(removed);
    let head = this.cursor;
    for (const chunk of this.held.values()) if (!leaving.has(chunk)) head = Math.min(head, chunk.sequence);
    return head;
  }
}
