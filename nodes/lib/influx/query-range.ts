import { QueryError, type QuerySource, type SeriesRows } from './query';

/** ms since 1970; `to` is not included. */
export interface Range {
  from: number;
  to: number;
}

export interface RangeQuery {
  source: QuerySource;
  bucket: string;
  statement: (range: Range) => string;
  signal: AbortSignal;
}

/** Milliseconds of a range that is not halved any more. */
const SHORTEST = 60_000;

/**
 * Rows of a range, in as many pieces as the server asks for: 3.x Core reads a limited number of files for one query. Pieces
 * come one after the other, so that a series can come once in each.
 */
export async function* queryInPieces(query: RangeQuery, range: Range): AsyncGenerator<SeriesRows, void, undefined> {
  const blocks = await begun(query, range);
  if (blocks) yield* blocks;
  else for (const half of halvesOf(range)) yield* queryInPieces(query, half);
}

/** The same, with each series once, whole and in the order of time. */
export async function* querySeries(query: RangeQuery, range: Range): AsyncGenerator<SeriesRows, void, undefined> {
  const blocks = await begun(query, range);
  if (blocks) yield* blocks;
  else yield* merged(halvesOf(range).map((half) => querySeries(query, half)));
}

/** The answer; undefined where the range is too long for one. */
async function begun(query: RangeQuery, range: Range): Promise<AsyncIterable<SeriesRows> | undefined> {
  const { source, bucket, statement, signal } = query;
  const blocks = source.query(bucket, statement(range), signal)[Symbol.asyncIterator]();
  try {
    return continued(await blocks.next(), blocks);
  } catch (error) {
    const isTooLong = error instanceof QueryError && error.code === 'too-large' && range.to - range.from > SHORTEST;
    if (isTooLong) return undefined;
    throw error;
  }
}

async function* continued(
  first: IteratorResult<SeriesRows, unknown>,
  blocks: AsyncIterator<SeriesRows>,
): AsyncGenerator<SeriesRows, void, undefined> {
  try {
    for (let block = first; block.done !== true; block = await blocks.next()) yield block.value;
  } finally {
    await blocks.return?.();
  }
}

function halvesOf({ from, to }: Range): Range[] {
  const middle = from + Math.ceil((to - from) / 2);
  return [
    { from, to: middle },
    { from: middle, to },
  ];
}

/** One of the answers that are merged, at the first block of a series. */
class Part {
  block: SeriesRows | undefined;
  readonly #blocks: AsyncIterator<SeriesRows, unknown>;

  constructor(blocks: AsyncIterator<SeriesRows, unknown>) {
    this.#blocks = blocks;
  }

  async next(): Promise<void> {
    const { done, value } = await this.#blocks.next();
    this.block = done === true ? undefined : value;
  }

  async end(): Promise<void> {
    await this.#blocks.return?.();
  }
}

async function* merged(
  answers: readonly AsyncGenerator<SeriesRows, void, undefined>[],
): AsyncGenerator<SeriesRows, void, undefined> {
  const parts = answers.map((answer) => new Part(answer));
  try {
    for (const part of parts) await part.next();
    for (;;) {
      const least = parts.reduce(leastOf, undefined);
      if (least === undefined) return;
      const same = parts.filter(({ block }) => block !== undefined && compare(block, least) === 0);
      for (const part of same) yield* seriesOf(part, part !== same.at(-1));
    }
  } finally {
    for (const part of parts) await part.end();
  }
}

/** @param goesOn - in another part */
async function* seriesOf(part: Part, goesOn: boolean): AsyncGenerator<SeriesRows, void, undefined> {
  for (let block = part.block; block !== undefined; block = part.block) {
    await part.next();
    yield { ...block, more: block.more || goesOn };
    if (block.more) continue;
    // Else a series could come twice, each time as if it were the whole of it.
    if (part.block !== undefined && compare(part.block, block) <= 0)
      throw new QueryError('statement', 'the series come in an order that is not known');
    return;
  }
}

function leastOf(least: SeriesRows | undefined, { block }: Part): SeriesRows | undefined {
  if (block === undefined || least === undefined) return least ?? block;
  return compare(block, least) < 0 ? block : least;
}

/** The order of 3.x: by the bytes of measurement and tags; without a tag comes after with it. */
function compare(one: SeriesRows, other: SeriesRows): number {
  const byName = compareText(one.measurement, other.measurement);
  if (byName !== 0) return byName;
  for (const name of [...new Set([...Object.keys(one.tags), ...Object.keys(other.tags)])].sort(compareText)) {
    const [mine, theirs] = [one.tags[name], other.tags[name]];
    if (mine === theirs) continue;
    if (mine === undefined) return 1;
    return theirs === undefined ? -1 : compareText(mine, theirs);
  }
  return 0;
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : Buffer.compare(Buffer.from(one), Buffer.from(other));
}
