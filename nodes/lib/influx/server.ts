import type { WriteOutcome } from './outcome';
import type { Provisioner } from './provision';
import type { QuerySource } from './query';
import type { TestResult } from './test-result';
import type { TlsOptions } from './transport';

export type { TestResult } from './test-result';

/** The generation of InfluxDB: they differ in how they take and refuse points. */
export type ServerVersion = '1' | '2' | '3';

/** Where points are written to. */
export interface WriteTarget {
  /** Lines for one request that suit this version. */
  readonly batchLines: number;
  /** Whether it answers to `/ping`. Never rejects. */
  isUp(): Promise<boolean>;
  /**
   * Writes lines, joined by line breaks, into a bucket (2.x), retention policy (1.x) or database (3.x).
   * Never rejects but with the signal's reason once that is aborted.
   */
  write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome>;
}

/** One InfluxDB, whatever its version. */
export interface InfluxServer extends QuerySource, WriteTarget {
  /** Whether a point that is written again with other values surely replaces the earlier one. */
  readonly overwrites: boolean;
  /** Whether points could be written, without writing one; with a bucket, whether that is there. Never rejects. */
  test(bucket?: string): Promise<TestResult>;
  /** Creates and changes buckets. */
  provisioner(): Provisioner;
  /** Ends what is under way and closes all connections. */
  close(): void;
}

/** Bytes for one request, whatever the version: 3.x takes 10 MiB, and few proxies more. */
export const BATCH_BYTES = 8 * 1024 * 1024;

export interface ConnectOptions {
  version: ServerVersion;
  /** Such as `http://localhost:8086`. */
  url: string;
  /** 2.x: name or id. */
  organization?: string;
  /** 1.x: holds the retention policies. */
  database?: string;
  /** 2.x and 3.x */
  token?: string;
  /** 1.x */
  username?: string;
  /** 1.x */
  password?: string;
  tls?: TlsOptions;
  /** Milliseconds from the start of a request to the end of its answer. */
  timeout: number;
  /** Whether bodies are compressed; default: unless the server is on this machine. */
  gzip?: boolean;
}
