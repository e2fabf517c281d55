import { quotedName } from './influxql';
import { ProvisionError, type BucketKeeper, type FoundBucket, type Inventory, type Retention } from './provision';
import { QueryError, type QueryEndpoint } from './query';

/** Seconds of each unit in a duration as Go writes it: `1440h0m0s`. */
const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

function secondsOf(duration: string): number {
  const parts = duration.matchAll(/([0-9.]+)([hms])/g);
  return [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? NaN), 0);
}

function clausesOf({ retention, shard }: Retention): string {
  return `DURATION ${retention}s REPLICATION 1 SHARD DURATION ${shard}s`;
}

/** 1.x: a bucket is a retention policy of one database. */
export class RetentionPolicies implements BucketKeeper {
  readonly #endpoint: QueryEndpoint;
  readonly #database: string;

  constructor(endpoint: QueryEndpoint, database: string) {
    this.#endpoint = endpoint;
    this.#database = database;
  }

  async look(): Promise<Inventory> {
    const found = await this.#policies();
    return found ? { found } : { found: [], noteOnMissing: `the database "${this.#database}" is created with it` };
  }

  async find(name: string): Promise<FoundBucket | undefined> {
    return (await this.#policies())?.find((policy) => policy.name === name);
  }

  async create(name: string, retention: Retention): Promise<void> {
    const database = quotedName(this.#database);
    try {
      await this.#run(`CREATE RETENTION POLICY ${quotedName(name)} ON ${database} ${clausesOf(retention)}`);
    } catch (error) {
      if (!(error instanceof QueryError && error.code === 'not-found')) throw this.#refusal(error, 'change');
      // Created as such, a database would have a policy "autogen" that keeps its points for ever.
      await this.#change(`CREATE DATABASE ${database} WITH ${clausesOf(retention)} NAME ${quotedName(name)}`);
    }
  }

  change({ name }: FoundBucket, { retention, shard }: Retention): Promise<void> {
    const policy = `${quotedName(name)} ON ${quotedName(this.#database)}`;
    return this.#change(`ALTER RETENTION POLICY ${policy} DURATION ${retention}s SHARD DURATION ${shard}s`);
  }

  /** Undefined when there is no such database. */
  async #policies(): Promise<FoundBucket[] | undefined> {
    try {
      const rows = await this.#run(`SHOW RETENTION POLICIES ON ${quotedName(this.#database)}`);
      return rows.map(policyOf);
    } catch (error) {
      if (error instanceof QueryError && error.code === 'not-found') return undefined;
      throw this.#refusal(error, 'see');
    }
  }

  async #change(statement: string): Promise<void> {
    try {
      await this.#run(statement);
    } catch (error) {
      throw this.#refusal(error, 'change');
    }
  }

  async #run(statement: string): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    for await (const block of this.#endpoint.query('', statement, new AbortController().signal)) {
      for (const row of block.rows) {
        rows.push(Object.fromEntries(block.columns.map((name, index) => [name, row[index]])));
      }
    }
    return rows;
  }

  #refusal(error: unknown, doing: 'see' | 'change'): unknown {
    if (!(error instanceof QueryError)) return error;
    const { code, message } = error;
    const options = { cause: error, isOfBucket: code === 'statement' };
    if (code === 'unauthorized') {
      return new ProvisionError(`InfluxDB refuses the user name and password: correct them (${message})`, options);
    }
    if (code !== 'forbidden') return new ProvisionError(message, options);
    const words =
      doing === 'see'
        ? `The user may not see the retention policies of the database "${this.#database}": grant it READ there`
        : 'The user may not create or change retention policies, which only an administrator may: GRANT ALL PRIVILEGES TO it';
    return new ProvisionError(`${words} (${message})`, options);
  }
}

function policyOf(row: Record<string, unknown>): FoundBucket {
  const text = (name: string): string => {
    const value = row[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    name: text('name'),
    retention: secondsOf(text('duration')),
    shard: secondsOf(text('shardGroupDuration')),
    ...(row['default'] === true && { note: 'the default retention policy of the database' }),
  };
}
