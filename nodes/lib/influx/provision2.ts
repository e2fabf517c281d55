import { organizationParameter, PAGE } from './organization2';
import { jsonOf, reasonOfAnswer, wordsOf, type Answer } from './outcome';
import { ProvisionError, type BucketKeeper, type FoundBucket, type Inventory, type Retention } from './provision';
import { askJson, unexpectedAnswer } from './provision-request';
import type { Transport } from './transport';

const PATH = '/api/v2/buckets';
/** Every organization has it, and a token that may read the organization sees it. */
const SYSTEM_BUCKET = '_monitoring';
const HIDDEN = 'a bucket of that name is there, and the token may not see it';

/** The retention policy of a bucket in InfluxQL. */
const POLICY = 'autogen';

interface Bucket {
  id: string;
  orgID: string;
  name: string;
  retentionRules?: { everySeconds?: number; shardGroupDurationSeconds?: number }[];
}

/** What stands for a bucket in InfluxQL: a database and a retention policy. */
interface Mapping {
  id: string;
  bucketID: string;
  database: string;
  /** Made up by InfluxDB itself, for a bucket that has no other. */
  virtual?: boolean;
}

function rulesOf({ retention, shard }: Retention): unknown[] {
  return [{ type: 'expire', everySeconds: retention, shardGroupDurationSeconds: shard }];
}

function foundOf({ id, name, retentionRules }: Bucket): FoundBucket {
  const { everySeconds = 0, shardGroupDurationSeconds: shard } = retentionRules?.[0] ?? {};
  return { id, name, retention: everySeconds, ...(shard !== undefined && { shard }) };
}

function isTaken(answer: Answer): boolean {
  return answer.status === 422 && /already exists|not unique/.test(wordsOf(answer));
}

export class Buckets implements BucketKeeper {
  readonly #transport: Transport;
  readonly #organization: string;
  /** The parameter that names the organization. */
  readonly #parameter: Record<string, string>;
  /** As given, or as the buckets have it that the token sees. */
  #organizationId: string | undefined;

  /** @param organization - name or id */
  constructor(transport: Transport, organization: string) {
    this.#transport = transport;
    this.#organization = organization;
    this.#parameter = organizationParameter(organization);
    this.#organizationId = this.#parameter['orgID'];
  }

  async look(names: readonly string[]): Promise<Inventory> {
    const found = new Map<string, FoundBucket>();
    const notes = new Map<string, string>();
    for (const bucket of await this.#all()) found.set(bucket.name, foundOf(bucket));
    // Pages are cut before the buckets are taken out that the token may not read: what matters is asked for by its name.
    for (const name of names) {
      if (found.has(name)) continue;
      const bucket = await this.#named(name);
      if (bucket === 'hidden') notes.set(name, HIDDEN);
      else if (bucket) found.set(name, foundOf(bucket));
    }
    if (found.size === 0 && notes.size > 0) throw this.#cannotRead();
    for (const mapping of await this.#mappings()) {
      const bucket = found.get(mapping.database);
      if (!bucket || bucket.id === mapping.bucketID) continue;
      const fault = `InfluxQL reads another bucket under this name, so averages and backups would too: remove the DBRP mapping ${mapping.id}`;
      found.set(bucket.name, { ...bucket, fault });
    }
    return { found: [...found.values()].filter(({ name }) => !name.startsWith('_')), notes };
  }

  async find(name: string): Promise<FoundBucket | undefined> {
    const bucket = await this.#named(name);
    if (bucket === 'hidden') throw this.#hidden();
    return bucket && foundOf(bucket);
  }

  async create(name: string, retention: Retention): Promise<void> {
    const orgID = await this.#idOfOrganization();
    const answer = await askJson(this.#transport, 'POST', PATH, { orgID, name, retentionRules: rulesOf(retention) });
    if (answer.status === 201) return;
    // Somebody else has made it since it was looked for; what that is will be looked at.
    if (isTaken(answer) && (await this.#named(name)) !== 'hidden') return;
    throw this.#refusal(answer);
  }

  async change({ id = '' }: FoundBucket, retention: Retention): Promise<void> {
    const answer = await askJson(this.#transport, 'PATCH', `${PATH}/${id}`, { retentionRules: rulesOf(retention) });
    if (answer.status !== 200) throw this.#refusal(answer);
  }

  /** To the first page that is empty: one that the token may read in part is short, and does not say that others follow. */
  async #all(): Promise<Bucket[]> {
    const buckets: Bucket[] = [];
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.#page(offset);
      if (page.length === 0) return buckets;
      buckets.push(...page);
    }
  }

  #page(offset: number): Promise<Bucket[]> {
    return this.#list({ limit: String(PAGE), offset: String(offset) });
  }

  /** InfluxDB looks for the name before it asks whether the token may see the bucket, and answers differently. */
  async #named(name: string): Promise<Bucket | 'hidden' | undefined> {
    const answer = await this.#ask({ name });
    if (answer.status === 404 && wordsOf(answer).startsWith('bucket ')) return undefined;
    return this.#bucketsOf(answer).find((bucket) => bucket.name === name) ?? 'hidden';
  }

  async #list(parameters: Record<string, string>): Promise<Bucket[]> {
    return this.#bucketsOf(await this.#ask(parameters));
  }

  #ask(parameters: Record<string, string>): Promise<Answer> {
    const query = new URLSearchParams({ ...this.#parameter, ...parameters }).toString();
    return askJson(this.#transport, 'GET', `${PATH}?${query}`);
  }

  #bucketsOf(answer: Answer): Bucket[] {
    if (answer.status !== 200) throw this.#refusal(answer);
    const buckets = jsonOf(answer)?.['buckets'];
    if (!Array.isArray(buckets)) throw unexpectedAnswer(answer, this.#transport.host);
    const [first] = buckets as Bucket[];
    this.#organizationId ??= first?.orgID;
    return buckets as Bucket[];
  }

  /** InfluxDB tells the id of an organization by the buckets in it that the token may see. */
  async #idOfOrganization(): Promise<string> {
    if (this.#organizationId === undefined) await this.#page(0);
    if (this.#organizationId === undefined) await this.#named(SYSTEM_BUCKET);
    if (this.#organizationId !== undefined) return this.#organizationId;
    throw new ProvisionError(
      `The token sees no bucket of the organization "${this.#organization}" and so cannot tell its id: give the id instead of the name in the server's settings, or give the token read on the organization too`,
    );
  }

  /** Mappings that stand before a bucket of the same name. Without any, InfluxQL reads each bucket by its name. */
  async #mappings(): Promise<Mapping[]> {
    const query = new URLSearchParams({ ...this.#parameter, rp: POLICY }).toString();
    const answer = await askJson(this.#transport, 'GET', `/api/v2/dbrps?${query}`);
    const mappings = answer.status === 200 ? jsonOf(answer)?.['content'] : [];
    return Array.isArray(mappings) ? (mappings as Mapping[]).filter(({ virtual }) => virtual !== true) : [];
  }

  #cannotRead(): ProvisionError {
    return new ProvisionError(
      `The token may not read the buckets of the organization "${this.#organization}": give it one that may read and write all buckets of the organization`,
    );
  }

  #hidden(words = ''): ProvisionError {
    return new ProvisionError(`${HIDDEN}: give it read on all buckets of the organization${words}`, {
      isOfBucket: true,
    });
  }

  #refusal(answer: Answer): ProvisionError {
    const words = wordsOf(answer);
    switch (answer.status) {
      case 401:
      case 403:
        return this.#missingPermission(words);
      case 404:
        if (words.startsWith('organization')) {
          return new ProvisionError(
            `There is no organization "${this.#organization}", or the token may not see it: correct its name (${words})`,
          );
        }
        break;
      case 422:
        if (isTaken(answer)) return this.#hidden(` (${words})`);
        break;
    }
    if (!jsonOf(answer)) return unexpectedAnswer(answer, this.#transport.host);
    return new ProvisionError(reasonOfAnswer(answer), { isOfBucket: answer.status < 500 });
  }

  #missingPermission(words: string): ProvisionError {
    const [, action] = /^(read|write):\S* is unauthorized/.exec(words) ?? [];
    if (action === undefined) {
      return new ProvisionError(`InfluxDB refuses the token: give one that is valid (${words})`);
    }
    return new ProvisionError(
      `The token lacks the permission to ${action} the buckets of the organization "${this.#organization}": give it ${action} on all buckets (${words})`,
    );
  }
}
