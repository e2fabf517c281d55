import type { ParsedLine } from './parse-line';

/** A line of a batch; taken apart only when somebody asks what is in it. */
export interface BatchLine {
  /** Its place in the batch. */
  index: number;
  text: string;
  /** Undefined for a line that the pack did not write itself. */
  parsed: () => ParsedLine | undefined;
}

/** Which lines a refusal is about, as far as its text tells. */
export interface Cause {
  /** The lines of a request that it may be about; empty when the text does not tell. */
  suspects: (lines: readonly BatchLine[]) => BatchLine[];
  /** Lines certainly refused for it. InfluxDB counts one shard and one cause only, so there may be more of them. */
  dropped: number;
}

const DROPPED = / dropped=([0-9]+)(?: for database: \S+ for retention policy: \S+)?$/;
const FIELD =
  /input field "(.+)" on measurement "(.+)" is (type ([a-z]+), already exists|too long, [0-9]+ > ([0-9]+))/s;
const RETENTION = /beyond retention policy|outside retention policy/;
const QUOTE = "unable to parse '";

/** The reason without what InfluxDB adds about the request as a whole, which says nothing of a single line. */
export function reasonForLine(reason: string): string {
  return reason
    .replace(/^failure writing points to database: /, '')
    .replace(/^partial write: /, '')
    .replace(DROPPED, '');
}

/** Lines about a field of a measurement that has the wrong type, or is longer than InfluxDB takes. */
function aboutField(field: string, measurement: string, type: string | undefined, limit: number): Cause['suspects'] {
  return (lines) =>
    lines.filter((line) => {
      const parsed = line.parsed();
      const value = parsed?.measurement === measurement ? parsed.fields[field] : undefined;
      if (!value) return false;
      if (type !== undefined) return value.type === type;
      return typeof value.value === 'string' && Buffer.byteLength(value.value) > limit;
    });
}

/** The oldest lines, as many as were dropped; all of those that are equally old. */
function oldest(count: number): Cause['suspects'] {
  return (lines) => {
    const times = lines.map((line) => BigInt(line.parsed()?.time ?? 0));
    const bound = times.toSorted(compare)[count - 1];
    return bound === undefined ? [] : lines.filter((_, index) => (times[index] ?? 0n) <= bound);
  };
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** What 1.x and 2.x say in a refusal, which names one cause even when there are several. */
export function causeOf(reason: string): Cause {
  const dropped = Number(DROPPED.exec(reason)?.[1] ?? 0);
  const [, field, measurement, , type, limit] = FIELD.exec(reason) ?? [];
  if (field !== undefined && measurement !== undefined) {
    return { dropped, suspects: aboutField(field, measurement, type, Number(limit)) };
  }
  if (RETENTION.test(reason)) return { dropped, suspects: oldest(dropped) };
  return { dropped, suspects: () => [] };
}

/** The lines that 1.x and 2.x quote as unparsable, with the reason of each. */
export interface Quoted {
  refused: { line: BatchLine; reason: string }[];
  /** Whether every quoted line was found, so that no other one is unparsable. */
  complete: boolean;
}

export function quotedLines(lines: readonly BatchLine[], reason: string): Quoted {
  // A line may itself contain the words; then its parts are not found, and the search goes on by halves.
  const [before = '', ...quotes] = reason.replace(DROPPED, '').split(QUOTE);
  if (quotes.length === 0 || !/^(?:partial write: )?$/.test(before)) return { refused: [], complete: false };
  const places = new Map<string, BatchLine[]>();
  for (const line of lines) places.set(line.text, [...(places.get(line.text) ?? []), line]);
  const refused = new Map<BatchLine, string>();
  let complete = true;
  for (const quote of quotes) {
    const found = lineInQuote(quote, places);
    if (!found) complete = false;
    else for (const line of found.lines) refused.set(line, found.reason);
  }
  return { refused: [...refused].map(([line, why]) => ({ line, reason: why })), complete };
}

function lineInQuote(
  quote: string,
  places: Map<string, BatchLine[]>,
): { lines: BatchLine[]; reason: string } | undefined {
  for (let end = quote.indexOf("': "); end >= 0; end = quote.indexOf("': ", end + 1)) {
    const lines = places.get(quote.slice(0, end));
    if (lines) return { lines, reason: `unable to parse: ${quote.slice(end + 3).trimEnd()}` };
  }
  return undefined;
}
