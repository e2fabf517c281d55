import { describe, expect, test } from 'vitest';
import { QueryError, type QuerySource, type SeriesRows } from '../../../nodes/lib/influx/query';
import { queryInPieces, querySeries, type Range, type RangeQuery } from '../../../nodes/lib/influx/query-range';

const HOUR = 3_600_000;

interface Row {
  tags: Record<string, string>;
  /** ms */
  time: number;
}

function isBefore(one: Row, other: Row): number {
  for (const name of ['a', 'b']) {
    const [mine, theirs] = [one.tags[name], other.tags[name]];
    if (mine === theirs) continue;
    if (mine === undefined || theirs === undefined) return mine === undefined ? 1 : -1;
    return Buffer.compare(Buffer.from(mine), Buffer.from(theirs));
  }
  return one.time - other.time;
}

/** Answers for so many milliseconds at most, a few rows a block, in the order of 3.x. */
class LimitedSource implements QuerySource {
  readonly asked: Range[] = [];
  open = 0;
  readonly #rows: readonly Row[];
  readonly #limit: number;

  constructor(rows: readonly Row[], limit: number) {
    this.#rows = rows.toSorted(isBefore);
    this.#limit = limit;
  }

  async *query(_bucket: string, statement: string): AsyncGenerator<SeriesRows, void, undefined> {
    const range = JSON.parse(statement) as Range;
    this.asked.push(range);
    await Promise.resolve();
    if (range.to - range.from > this.#limit) throw new QueryError('too-large', 'exceeding the file limit');
    const rows = this.#rows.filter(({ time }) => time >= range.from && time < range.to);
    this.open += 1;
    try {
      for (let at = 0; at < rows.length;) {
        const { tags = {} } = rows[at] ?? {};
        let end = at;
        while (end < rows.length && end < at + 2 && rows[end]?.tags === tags) end += 1;
        const times = rows.slice(at, end).map(({ time }) => BigInt(time));
        const more = rows[end]?.tags === tags;
        yield { measurement: 'm', tags, columns: ['f'], times, rows: times.map((time) => [time]), more };
        at = end;
      }
    } finally {
      this.open -= 1;
    }
  }
}

const SERIES = [{ a: 'x', b: '1' }, { a: 'x' }, { a: 'é' }, { a: '\u{1F600}' }, { a: '\uFF5E' }, { b: '1' }, {}];
const ROWS: Row[] = SERIES.flatMap((tags, index) =>
  Array.from({ length: 5 + index }, (_, row) => ({ tags, time: (row * 7 * HOUR) / (1 + index) })),
);

function queryOf(source: QuerySource): RangeQuery {
  return { source, bucket: 'raw', statement: (range) => JSON.stringify(range), signal: new AbortController().signal };
}

async function read(blocks: AsyncIterable<SeriesRows>): Promise<SeriesRows[]> {
  const all: SeriesRows[] = [];
  for await (const block of blocks) all.push(block);
  return all;
}

describe.each([100 * HOUR, 24 * HOUR, 12 * HOUR, 5 * HOUR, 1 * HOUR])('a server that answers for %i ms', (limit) => {
  test('each series comes once, whole and in the order of time', async () => {
    const source = new LimitedSource(ROWS, limit);
    const blocks = await read(querySeries(queryOf(source), { from: 0, to: 36 * HOUR }));
    const whole: { tags: Record<string, string>; times: bigint[] }[] = [];
    let goesOn = false;
    for (const { tags, times, more } of blocks) {
      if (goesOn) whole.at(-1)?.times.push(...times);
      else whole.push({ tags, times: [...times] });
      goesOn = more;
    }
    expect(goesOn).toBe(false);
    const expected = SERIES.map((tags) => ({
      tags,
      times: ROWS.filter((row) => row.tags === tags && row.time < 36 * HOUR).map(({ time }) => BigInt(time)),
    }));
    const byTags = (one: { tags: object }, other: { tags: object }): number =>
      JSON.stringify(one.tags) < JSON.stringify(other.tags) ? -1 : 1;
    expect(whole.toSorted(byTags)).toEqual(expected.toSorted(byTags));
    expect(source.open).toBe(0);
  });

  test('in pieces, each row comes once', async () => {
    const source = new LimitedSource(ROWS, limit);
    const blocks = await read(queryInPieces(queryOf(source), { from: 0, to: 36 * HOUR }));
    const times = blocks.flatMap((block) => block.times).toSorted();
    expect(times).toEqual(
      ROWS.filter(({ time }) => time < 36 * HOUR)
        .map(({ time }) => BigInt(time))
        .toSorted(),
    );
  });
});

test('nothing is asked for twice where one answer is enough', async () => {
  const source = new LimitedSource(ROWS, 100 * HOUR);
  await read(querySeries(queryOf(source), { from: 0, to: 36 * HOUR }));
  expect(source.asked).toHaveLength(1);
});

test('a server that answers for no time at all is an error', async () => {
  await expect(read(querySeries(queryOf(new LimitedSource(ROWS, 0)), { from: 0, to: HOUR }))).rejects.toMatchObject({
    code: 'too-large',
  });
});

test('an order that is not known is an error, and no series comes in two parts', async () => {
  const source: QuerySource = {
    async *query(_bucket, statement) {
      await Promise.resolve();
      const { from, to } = JSON.parse(statement) as Range;
      if (to - from > HOUR) throw new QueryError('too-large', 'exceeding the file limit');
      for (const a of ['y', 'x'])
        yield { measurement: 'm', tags: { a }, columns: ['f'], times: [0n], rows: [[1]], more: false };
    },
  };
  await expect(read(querySeries(queryOf(source), { from: 0, to: 2 * HOUR }))).rejects.toThrow(
    'order that is not known',
  );
});

test('who stops reading ends all that is read', async () => {
  const source = new LimitedSource(ROWS, HOUR);
  for await (const block of querySeries(queryOf(source), { from: 0, to: 36 * HOUR })) {
    expect(block.measurement).toBe('m');
    break;
  }
  expect(source.open).toBe(0);
});
