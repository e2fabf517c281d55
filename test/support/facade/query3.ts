import { decodeMsgpack, type MsgpackValue } from '../../../nodes/lib/influx/msgpack';
import type { Backend } from './backend';
import type { Reply } from './faulty-server';
import type { SeenRequest } from './faults';
import { header, onlyContent, onlyParameters, Unknown } from './honesty';

/** What Core reads for one query: parquet files, each of which holds ten minutes or a part of that. */
export const FILE_LIMIT = 432;
const HOUR = 3_600_000_000_000n;
const RANGE = /\btime >= (-?[0-9]+) AND time < (-?[0-9]+)/;
const KNOWN = /^\s*(?:SELECT|SHOW FIELD KEYS)\b/i;

type Cell = MsgpackValue;

interface Row {
  measurement: string;
  tags: readonly (readonly [string, string])[];
  time: bigint | undefined;
  text: string;
}

/**
 * InfluxQL as rows of JSON, a row a line: as 3.6.0 and 3.8.3 were seen to answer. The real 1.x behind finds the rows.
 *
 * @param policyOf - the retention policy behind a database; undefined when it is missing
 * @param filesAnHour - Parquet files that an hour of data lies in
 */
export async function answerLines(
  request: SeenRequest,
  backend: Backend,
  policyOf: (database: string) => string | undefined,
  filesAnHour: number,
): Promise<Reply> {
  onlyParameters(request);
  onlyContent(request, 'application/json');
  const { db, q, format, ...more } = JSON.parse(request.body.toString()) as Record<string, string>;
  if (Object.keys(more).length > 0) throw new Unknown(`members ${Object.keys(more).join()}`);
  if (format !== 'jsonl') throw new Unknown(`format ${String(format)}`);
  if (q === undefined || db === undefined) throw new Unknown('no db or q');
  if (!/^[A-Z ]*(?:SELECT|SHOW)\b/i.test(q)) throw new Unknown(`statement ${q}`);
  const policy = policyOf(db);
  if (policy === undefined) return plain(500, `query error: database not found: ${db}`);
  if (!KNOWN.test(q)) throw new Unknown(`statement ${q}`);
  const [, from, to] = RANGE.exec(q) ?? [];
  if (from !== undefined && to !== undefined) {
    const files = Math.ceil((Number(BigInt(to) - BigInt(from)) / Number(HOUR)) * filesAnHour);
    if (files >= FILE_LIMIT) return plain(500, tooManyFiles(files));
  }
  const parameters = { db: backend.database, rp: policy, q, epoch: 'ns' };
  const answer = await fetch(`${backend.influxd.url}/query`, {
    method: 'POST',
    body: new URLSearchParams(parameters),
    headers: { accept: 'application/x-msgpack' },
  });
  if (answer.status === 400) {
    const words = answer.headers.get('x-influxdb-error') ?? '';
    return plain(500, `error in InfluxQL statement: ${words.replace(/^error parsing query: /, 'parsing error: ')}`);
  }
  const document = decodeMsgpack(Buffer.from(await answer.arrayBuffer()));
  const results = list(map(document).get('results')).map(map);
  const error = results.map((result) => result.get('error')).find((words) => typeof words === 'string');
  if (error !== undefined)
    return plain(500, `query error: error while planning query: Error during planning: ${error}`);
  const rows = results.flatMap((result) => list(result.get('series')).map(map).flatMap(rowsOf));
  rows.sort(inTheirOrder);
  return {
    status: 200,
    headers: { 'content-type': header(request, 'accept') ?? 'application/jsonl', 'transfer-encoding': 'chunked' },
    body: rows.map(({ text }) => `${text}\n`).join(''),
  };
}

function tooManyFiles(files: number): string {
  return (
    `query error: error while planning query: External error: Query would scan ${files} Parquet files, exceeding the file ` +
    'limit. InfluxDB 3 Core caps file access to prevent performance degradation and memory issues. Use a narrower time ' +
    'range, or increase the limit with --query-file-limit (this may cause slower queries or instability).'
  );
}

/** Errors are declared as nothing. */
function plain(status: number, body: string): Reply {
  return { status, body };
}

function map(value: Cell | undefined): ReadonlyMap<string, Cell> {
  return value instanceof Map ? value : new Map<string, Cell>();
}

function list(value: Cell | undefined): Cell[] {
  return Array.isArray(value) ? value : [];
}

function rowsOf(series: ReadonlyMap<string, Cell>): Row[] {
  const columns = list(series.get('columns')).map(String);
  const name = series.get('name');
  const measurement = typeof name === 'string' ? name : '';
  const tags = [...map(series.get('tags'))].filter((tag): tag is [string, string] => Boolean(tag[1]));
  return list(series.get('values')).map((values) => {
    const cells = list(values);
    const time = columns[0] === 'time' ? (cells[0] as bigint) : undefined;
    const members: [string, string][] = [['iox::measurement', JSON.stringify(measurement)]];
    if (time !== undefined) members.push(['time', JSON.stringify(momentOf(time))]);
    for (const [tag, value] of tags) members.push([tag, JSON.stringify(value)]);
    for (const [index, column] of columns.entries()) {
      const cell = cells[index];
      if (column === 'time' || cell === null || cell === undefined) continue;
      members.push([column, spelled(cell)]);
    }
    const text = `{${members.map(([member, value]) => `${JSON.stringify(member)}:${value}`).join(',')}}`;
    return { measurement, tags, time, text };
  });
}

/** Floats are told from integers by their spelling. */
function spelled(value: Cell): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'number') return JSON.stringify(value);
  if (Object.is(value, -0)) return '-0.0';
  const text = value.toString().replace('e+', 'e');
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function momentOf(time: bigint): string {
  const second = 1_000_000_000n;
  const fraction = ((time % second) + second) % second;
  const seconds = new Date(Number((time - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${fraction.toString().padStart(9, '0')}`;
}

/** By measurement, tags and time; a series that lacks a tag comes after those that have it. */
function inTheirOrder(one: Row, other: Row): number {
  if (one.measurement !== other.measurement) return one.measurement < other.measurement ? -1 : 1;
  const names = [...new Set([...one.tags, ...other.tags].map(([name]) => name))].sort();
  for (const name of names) {
    const [mine, theirs] = [one, other].map(({ tags }) => tags.find(([tag]) => tag === name)?.[1]);
    if (mine === theirs) continue;
    if (mine === undefined) return 1;
    if (theirs === undefined) return -1;
    return mine < theirs ? -1 : 1;
  }
  if (one.time === undefined || other.time === undefined || one.time === other.time) return 0;
  return one.time < other.time ? -1 : 1;
}
