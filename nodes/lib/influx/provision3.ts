import { headerOf, reasonOfAnswer, wordsOf, type Answer } from './outcome';
import { ProvisionError, type BucketKeeper, type FoundBucket, type Inventory, type Retention } from './provision';
import { ask, askJson, parsed, unexpectedAnswer } from './provision-request';
import type { Transport } from './transport';

const PATH = '/api/v3/configure/database';
/** InfluxDB's own database, where it lists the others. */
const INTERNAL = '_internal';
const STATEMENT = 'SELECT database_name, retention_period_ns FROM system.databases WHERE deleted = false';
const SECOND = 1_000_000_000;
/** How many databases the Core edition holds. */
const CORE_LIMIT = 5;

interface Row {
  database_name: string;
  /** Missing: for ever. */
  retention_period_ns?: number | null;
}

/** As 3.x reads durations: hours where that is exact, which is what its documents know. */
function periodOf({ retention }: Retention): string {
  return retention % 3600 === 0 ? `${retention / 3600}h` : `${retention}s`;
}

/** 3.x: a bucket is a database. */
export class Databases implements BucketKeeper {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async look(): Promise<Inventory> {
    const { headers } = await ask(this.#transport, { method: 'GET', path: '/ping' });
    const isCore = headerOf({ status: 0, body: '', headers }, 'x-influxdb-build') === 'Core';
    return { found: await this.#all(), ...(isCore && { limit: CORE_LIMIT }) };
  }

  async find(name: string): Promise<FoundBucket | undefined> {
    return (await this.#all()).find((database) => database.name === name);
  }

  async create(db: string, retention: Retention): Promise<void> {
    const answer = await askJson(this.#transport, 'POST', PATH, { db, retention_period: periodOf(retention) });
    if (answer.status === 409) {
      // Somebody else has made it since it was looked for; what that is will be looked at.
      if (await this.find(db)) return;
      throw new ProvisionError(`A database of that name is there already (${reasonOfAnswer(answer)})`, {
        isOfBucket: true,
      });
    }
    if (!isSuccess(answer)) throw this.#refusal(answer);
  }

  /** The documents of the Core edition deny it, its source does it: it is tried, and looked at afterwards. */
  async change({ name }: FoundBucket, retention: Retention): Promise<void> {
    const answer = await askJson(this.#transport, 'PUT', PATH, { db: name, retention_period: periodOf(retention) });
    if (isSuccess(answer)) return;
    if (answer.status === 401 || answer.status === 403 || answer.status >= 500) throw this.#refusal(answer);
    throw new ProvisionError(
      `This InfluxDB does not let the retention of a database be changed (${reasonOfAnswer(answer)}): create another database, and restore a backup into it`,
      { isOfBucket: true },
    );
  }

  async #all(): Promise<FoundBucket[]> {
    const question = { db: INTERNAL, q: STATEMENT, format: 'json' };
    const answer = await askJson(this.#transport, 'POST', '/api/v3/query_sql', question);
    if (answer.status !== 200) throw this.#refusal(answer);
    const rows = parsed(answer, this.#transport.host);
    if (!Array.isArray(rows)) throw unexpectedAnswer(answer, this.#transport.host);
    return (rows as Row[])
      .filter(({ database_name: name }) => name !== INTERNAL)
      .map(({ database_name: name, retention_period_ns: period }) => ({
        name,
        retention: Math.round((period ?? 0) / SECOND),
      }));
  }

  #refusal(answer: Answer): ProvisionError {
    const words = wordsOf(answer);
    const said = words === '' ? `HTTP ${answer.status}` : words;
    switch (answer.status) {
      case 401:
        return new ProvisionError(`InfluxDB refuses the token: give one that is valid (${said})`);
      case 403:
        return new ProvisionError(`The token may not list and create databases: give an admin token (${said})`);
      case 404:
        return unexpectedAnswer(answer, this.#transport.host);
      default:
        return new ProvisionError(reasonOfAnswer(answer), { isOfBucket: answer.status === 400 });
    }
  }
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}
