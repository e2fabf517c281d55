import { parseLine } from '../../../nodes/lib/influx/parse-line';
import type { Influxd } from '../influxd';

/** What the real 1.x said to a write. */
export interface BackendAnswer {
  status: number;
  /** Its `error`; empty when there is none. */
  error: string;
}

export function quoted(identifier: string): string {
  return `"${identifier.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * The database of the real InfluxDB 1.x in which a façade keeps what it says it has stored: a retention policy for each
 * of its buckets, and beside it a scratch database in which lines are tried.
 */
export class Backend {
  readonly influxd: Influxd;
  readonly database: string;
  readonly #scratch: string;

  private constructor(influxd: Influxd, database: string) {
    this.influxd = influxd;
    this.database = database;
    this.#scratch = `${database}_scratch`;
  }

  static async create(influxd: Influxd, database: string): Promise<Backend> {
    const backend = new Backend(influxd, database);
    await influxd.query(`CREATE DATABASE ${quoted(database)}`);
    return backend;
  }

  /**
   * @param retention - seconds; 0: for ever
   * @param shard - seconds
   */
  async createPolicy(name: string, retention: number, shard: number): Promise<void> {
    await this.#settle('CREATE', name, retention, shard);
  }

  /** As `createPolicy`, for a policy that is there. */
  async alterPolicy(name: string, retention: number, shard: number): Promise<void> {
    await this.#settle('ALTER', name, retention, shard);
  }

  async #settle(verb: string, name: string, retention: number, shard: number): Promise<void> {
    const duration = retention === 0 ? 'INF' : `${retention}s`;
    const settings = `DURATION ${duration} REPLICATION 1 SHARD DURATION ${shard}s`;
    await this.influxd.query(`${verb} RETENTION POLICY ${quoted(name)} ON ${quoted(this.database)} ${settings}`);
  }

  async dropPolicy(name: string): Promise<void> {
    await this.influxd.query(`DROP RETENTION POLICY ${quoted(name)} ON ${quoted(this.database)}`);
  }

  write(policy: string, body: string): Promise<BackendAnswer> {
    return this.#write(this.database, policy, body);
  }

  /**
   * The lines that 1.x cannot parse, with its reason for each. Lines that the pack's own strict parser takes are fine; the
   * others are tried one measurement apart from each other, so that no type conflict hides what is wrong: 1.x names only one
   * kind of fault.
   */
  async unparsable(lines: readonly string[]): Promise<{ line: string; index: number; reason: string }[]> {
    const doubtful = lines.flatMap((line, index) => (isPlain(line) ? [] : [{ line, index }]));
    if (doubtful.length === 0) return [];
    const unsigned = doubtful.find(({ line }) => /=[0-9]+u[, ]/.test(line));
    if (unsigned) throw new Error(`1.x cannot stand in for unsigned integers: ${unsigned.line}`);
    const tried = doubtful.map(({ line, index }) => ({
      line,
      index,
      text: line.startsWith(',') ? line : `L${index}_${line}`,
    }));
    await this.influxd.query(`CREATE DATABASE ${quoted(this.#scratch)}`);
    const { error } = await this.#write(this.#scratch, 'autogen', tried.map(({ text }) => text).join('\n'));
    await this.influxd.query(`DROP DATABASE ${quoted(this.#scratch)}`);
    const faults = tried.flatMap(({ line, index, text }) => {
      const [, after] = error.split(`unable to parse '${text}': `, 2);
      return after === undefined ? [] : [{ line, index, reason: after.split(/\n| dropped=/)[0] ?? '' }];
    });
    if (error !== '' && faults.length === 0) throw new Error(`1.x says what the façade does not understand: ${error}`);
    return faults;
  }

  async #write(database: string, policy: string, body: string): Promise<BackendAnswer> {
    const parameters = new URLSearchParams({ db: database, rp: policy, precision: 'n' });
    const answer = await fetch(`${this.influxd.url}/write?${parameters.toString()}`, { method: 'POST', body });
    const text = await answer.text();
    if (text === '') return { status: answer.status, error: '' };
    return { status: answer.status, error: (JSON.parse(text) as { error: string }).error };
  }
}

/** The lines of a body, as all versions of InfluxDB take it apart: a line break inside a string field ends no line. */
export function linesOf(body: string): string[] {
  const lines: string[] = [];
  let line = '';
  let fields = false;
  let quotes = false;
  let equals = 0;
  let commas = 0;
  for (let at = 0; at < body.length; at++) {
    const character = body.charAt(at);
    if (character === '\n' && !quotes) {
      lines.push(line);
      line = '';
      fields = false;
      equals = 0;
      commas = 0;
      continue;
    }
    line += character;
    if (character === '\\') line += body.charAt(++at);
    else if (character === ' ') fields = true;
    else if (fields && !quotes && character === '=') equals += 1;
    else if (fields && !quotes && character === ',') commas += 1;
    else if (fields && character === '"' && equals > commas) quotes = !quotes;
  }
  lines.push(line);
  return lines.map((text) => text.replace(/^[ \t\0]+/, '')).filter((text) => text !== '' && !text.startsWith('#'));
}

function isPlain(line: string): boolean {
  try {
    parseLine(line);
    return true;
  } catch {
    return false;
  }
}
