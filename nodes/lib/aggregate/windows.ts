import type { SeriesRows, Value } from '../influx/query';

/** The values that one series has in one window. */
export interface SeriesWindow {
  tags: Readonly<Record<string, string>>;
  /** ms since 1970 */
  start: number;
  /** In the order of time, by field; fields without a value are left out. */
  values: ReadonlyMap<string, readonly number[]>;
  /** Rows. */
  points: number;
}

/** Cuts rows into windows. Of all that is read, one window of one series is in memory. */
export async function* windowsOf(
  blocks: AsyncIterable<SeriesRows>,
  every: number,
): AsyncGenerator<SeriesWindow, void, undefined> {
  const length = BigInt(every) * 1_000_000n;
  let end = 0n;
  let open: (Omit<SeriesWindow, 'values'> & { values: Map<string, number[]> }) | undefined;
  for await (const { tags, columns, times, rows, more } of blocks) {
    for (const [index, time] of times.entries()) {
      if (open === undefined || time >= end) {
        if (open !== undefined) yield open;
        const start = startOf(time, length);
        end = start + length;
        open = { tags, start: Number(start / 1_000_000n), values: new Map(), points: 0 };
      }
      open.points++;
      const row = rows[index] ?? [];
      for (let column = 0; column < columns.length; column++) {
        const value = numberOf(row[column]);
        if (value === undefined) continue;
        const name = columns[column] ?? '';
        const values = open.values.get(name);
        if (values === undefined) open.values.set(name, [value]);
        else values.push(value);
      }
    }
    if (more) continue;
    if (open !== undefined) yield open;
    open = undefined;
  }
}

function startOf(time: bigint, length: bigint): bigint {
  const past = time % length;
  return time - (past < 0n ? past + length : past);
}

/** Integers are aggregated as floats. A field may have held something else in an earlier shard. */
function numberOf(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : undefined;
}
