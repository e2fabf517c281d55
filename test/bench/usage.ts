import { readFileSync, writeFileSync } from 'node:fs';

/** What a process has used so far. Linux only: read from /proc. */
export interface Usage {
  /** Processor time of all threads, in milliseconds; steps of 10 ms. */
  cpu: number;
  /** Resident memory, in megabytes. */
  resident: number;
  /** Most resident memory since the start or `forgetPeak`, in megabytes. */
  peak: number;
}

/** USER_HZ is 100 on every architecture that Node.js runs on. */
const MILLISECONDS_PER_TICK = 10;

function megabytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) / 1024;
}

export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold anything; after it, utime and stime are the 12th and 13th values.
  const values = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    cpu: (Number(values[11]) + Number(values[12])) * MILLISECONDS_PER_TICK,
    resident: megabytes(status, 'VmRSS'),
    peak: megabytes(status, 'VmHWM'),
  };
}

/** Lets `peak` start again at what is resident now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
