import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from './node-red';

/** A rule of the registry, as the independent recomputation takes it. Times and lengths in nanoseconds. */
export interface RecomputedRule {
  bucket: string;
  measurement: string;
  into: string;
  every: number;
  fields: Record<string, string[]>;
  /** Windows that start before may be missing or old. */
  since: bigint;
  /** Windows that start before are not looked at. */
  kept: bigint;
}

export interface Recomputation {
  windows: number;
  points: number;
  wrong: number;
  faults: string[];
}

/** Where InfluxDB is: 1.x with a database and perhaps `user:password` in base64, 2.x and 3.x with a token. */
export interface Place {
  url: string;
  database?: string;
  token?: string;
  basic?: string;
}

/**
 * Has Python compare what is aggregated with what it computes from the raw points itself.
 *
 * @param now - ns since 1970: windows that end later may be missing
 */
export async function recompute(place: Place, rules: RecomputedRule[], now: bigint): Promise<Recomputation> {
  // Integers that a JavaScript number cannot hold are written digit by digit.
  const task = JSON.stringify({ ...place, now, rules }, (_, value: unknown) =>
    typeof value === 'bigint' ? `#${value}#` : value,
  ).replaceAll(/"#(-?\d+)#"/g, '$1');
  return new Promise((resolve, reject) => {
    const script = join(packageRoot, 'test/support/aggregate.py');
    const child = execFile('python3', [script], { maxBuffer: 1e9 }, (error, output, errors) => {
      if (error) reject(new Error(`${error.message}\n${errors}`));
      else resolve(JSON.parse(output) as Recomputation);
    });
    child.stdin?.end(task);
  });
}
