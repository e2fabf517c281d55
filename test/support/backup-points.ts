import type { InfluxServer } from '../../nodes/lib/influx/server';
import { lineOf } from '../../nodes/lib/influx/line-protocol';
import { parseLine } from '../../nodes/lib/influx/parse-line';
import type { FieldValue, Point } from '../../nodes/lib/point';
import { RandomPoints } from '../unit/influx/random-points';

const MINUTE = 60_000_000_000n;
const DAY = 1440n * MINUTE;

function sorted<T>(object: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A line with tags and fields in one order, so that equal points are equal texts. */
export function canonical(line: string): string {
  const { measurement, tags, fields, time } = parseLine(line);
  return lineOf({ bucket: '', measurement, tags: sorted(tags), fields: sorted(fields), time });
}

/**
 * Lines of points with every type, awkward names and strings, and times to the nanosecond in the last days. Each point is one of its
 * own, and no field has two types, since InfluxDB would refuse that.
 */
export function awkwardLines(seed: number, count: number, days: number): string[] {
  const random = new RandomPoints(seed);
  const measurements = Array.from({ length: 8 }, (_, index) => `m${index}${random.name()}`);
  const tagKeys = Array.from({ length: 4 }, (_, index) => `t${index}${random.name()}`);
  const fieldKeys = Array.from({ length: 4 }, (_, index) => `f${index}${random.name()}`);
  const start = BigInt(Date.now()) * 1_000_000n - BigInt(days) * DAY;
  const step = (BigInt(days) * DAY) / BigInt(count);
  const lines: string[] = [];
  for (let index = 0; index < count; index++) {
    const tags: Record<string, string> = {};
    for (let left = random.below(4); left > 0; left--) {
      // After a backslash before a space 1.x and 2.x count quotes in tags too, and take the next line for a part of this one.
      tags[random.pick(tagKeys)] = random.tagValue().replaceAll('\\ ', '\\_');
    }
    const fields: Record<string, FieldValue> = {};
    for (let left = random.below(3) + 1; left > 0; left--) {
      const field = random.field();
      fields[`${random.pick(fieldKeys)}_${field.type}`] = field;
    }
    const time = start + BigInt(index) * step + BigInt(random.below(Number(step)));
    const point: Point = { bucket: '', measurement: random.pick(measurements), tags, fields, time: time.toString() };
    lines.push(canonical(lineOf(point)));
  }
  return lines.sort();
}

/** Writes lines, all of them. */
export async function storeLines(server: InfluxServer, bucket: string, lines: readonly string[]): Promise<void> {
  for (let at = 0; at < lines.length; at += server.batchLines) {
    const body = lines.slice(at, at + server.batchLines).join('\n');
    const outcome = await server.write(bucket, body, new AbortController().signal);
    if (outcome.kind !== 'written') throw new Error(`${outcome.kind}: ${outcome.reason}`);
  }
}
