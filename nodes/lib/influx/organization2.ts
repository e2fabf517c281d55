import { jsonOf, reasonOfAnswer, wordsOf, type Answer } from './outcome';
import type { Transport } from './transport';

const BUCKETS = '/api/v2/buckets';
/** The most that 2.x gives at once. */
export const PAGE = 100;
/** The two lists are asked for one after the other, and databases may come and go between. */
const ATTEMPTS = 3;

/** The parameter that names an organization, which may be given by its name or id. */
export function organizationParameter(organization: string): Record<string, string> {
  return { [/^[0-9a-f]{16}$/.test(organization) ? 'orgID' : 'org']: organization };
}

/** What stands for a bucket in InfluxQL: a database and a retention policy. */
interface Mapping {
  database: string;
  orgID: string;
}

/** An answer that tells nothing of the organization. */
export class AnswerError extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(reasonOfAnswer(answer));
    this.name = 'AnswerError';
    this.answer = answer;
  }
}

/**
 * Which organization InfluxQL reads. Points go to the organization that a request names, but `/query` ignores that name and
 * reads the organization that the token belongs to, which nothing tells: it is found out by the databases that are in it.
 */
export class TokenOrganization {
  readonly #transport: Transport;
  readonly #organization: string;
  #check: Promise<string | undefined> | undefined;

  /** @param organization - name or id */
  constructor(transport: Transport, organization: string) {
    this.#transport = transport;
    this.#organization = organization;
  }

  /**
   * Why what is read would not be, or may not be, of this organization; undefined when all is right, which is asked only once.
   *
   * @throws AnswerError, or what the connection says
   */
  async fault(): Promise<string | undefined> {
    const check = (this.#check ??= this.#compare());
    const fault = await check.catch((error: unknown) => {
      this.#forget(check);
      throw error;
    });
    if (fault !== undefined) this.#forget(check);
    return fault;
  }

  #forget(check: Promise<string | undefined>): void {
    if (this.#check === check) this.#check = undefined;
  }

  async #compare(): Promise<string | undefined> {
    const advice = `InfluxDB reads the organization that a token belongs to: use a token that was made in "${this.#organization}"`;
    for (let attempt = 1; ; attempt++) {
      const read = await this.#databasesRead();
      const own = await this.#mappings(organizationParameter(this.#organization));
      if (!isSame(read, own)) {
        if (attempt < ATTEMPTS) continue;
        return `The token belongs to another organization than "${this.#organization}". ${advice}`;
      }
      // Without a bucket that the token may read nothing wrong can be read.
      if (read.size === 0) return undefined;
      const other = await this.#otherWith(read, own[0]?.orgID);
      if (other === undefined) return undefined;
      return `It cannot be told whether the token belongs to the organization "${this.#organization}": it may read buckets of the same names in the organization with the id ${other}. ${advice}, and that reads no other`;
    }
  }

  /** Names of the databases that InfluxQL reads by this token. */
  async #databasesRead(): Promise<Set<string>> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const body = new URLSearchParams({ q: 'SHOW DATABASES' }).toString();
    const answer = await this.#transport.send({ method: 'POST', path: '/query', body, headers });
    const results = answer.status === 200 ? jsonOf(answer)?.['results'] : undefined;
    const [result] = (results ?? []) as { series?: { values?: unknown[][] }[] }[];
    if (!result?.series) throw new AnswerError(answer);
    return new Set((result.series[0]?.values ?? []).map(([name]) => String(name)));
  }

  /** What InfluxQL would read of an organization: the same list, but of an organization that is named. */
  async #mappings(parameter: Record<string, string>): Promise<Mapping[]> {
    const answer = await this.#get('/api/v2/dbrps', parameter);
    const content = answer.status === 200 ? jsonOf(answer)?.['content'] : undefined;
    if (Array.isArray(content)) return content as Mapping[];
    throw new AnswerError(answer);
  }

  /** Another organization that InfluxQL could be reading just as well. */
  async #otherWith(databases: ReadonlySet<string>, own: string | undefined): Promise<string | undefined> {
    const asked = new Set([own]);
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.#buckets(offset);
      for (const { orgID } of page) {
        if (asked.has(orgID)) continue;
        asked.add(orgID);
        if (isSame(databases, await this.#mappings({ orgID }))) return orgID;
      }
      if (page.length === 0) return undefined;
    }
  }

  /** Buckets of all organizations, as far as the token may read them. */
  async #buckets(offset: number): Promise<{ orgID: string }[]> {
    const answer = await this.#get(BUCKETS, { limit: String(PAGE), offset: String(offset) });
    const buckets = answer.status === 200 ? jsonOf(answer)?.['buckets'] : undefined;
    if (Array.isArray(buckets)) return buckets as { orgID: string }[];
    throw new AnswerError(answer);
  }

  #get(path: string, parameters: Record<string, string>): Promise<Answer> {
    return this.#transport.send({ method: 'GET', path: `${path}?${new URLSearchParams(parameters).toString()}` });
  }
}

function isSame(databases: ReadonlySet<string>, mappings: readonly Mapping[]): boolean {
  const names = new Set(mappings.map(({ database }) => database));
  return names.size === databases.size && [...names].every((name) => databases.has(name));
}

/** Whether an answer says that there is no such organization: in two ways, by what was asked for. */
export function saysNoOrganization(answer: Answer): boolean {
  return answer.status === 404 && /^(?:organization|invalid org) /.test(wordsOf(answer));
}
