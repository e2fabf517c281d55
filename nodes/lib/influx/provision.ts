import { PackError, reasonOf } from '../errors';
import { durationText } from '../registry/durations';

/** What there is, or should be, of one bucket (1.x: retention policy, 3.x: database). */
export interface ProvisionItem {
  bucket: string;
  state: 'missing' | 'different' | 'surplus' | 'same';
  /** By the registry; seconds. */
  wanted?: { retention: number };
  /** In InfluxDB; seconds, a retention of 0 is for ever. */
  found?: { retention: number; shard?: number };
  /** What is to be done. Surplus is never touched. */
  change: 'create' | 'lengthen' | 'shorten' | 'reshard' | 'none';
  /** What else an operator should know. */
  note?: string;
}

export interface ProvisionPlan {
  items: ProvisionItem[];
  /** Why the plan cannot be carried out as a whole, if so. */
  obstacle?: string;
}

/** What became of a change. */
export interface ProvisionResult {
  /** `unconfirmed`: it would shorten a retention, which needs a confirmation; `untried`: something stood in the way before. */
  outcome: 'done' | 'unconfirmed' | 'failed' | 'untried';
  reason?: string;
}

/** A row of the report; without an outcome where nothing was to be done. */
export interface ProvisionRow extends ProvisionItem, Partial<ProvisionResult> {}

export interface ProvisionReport {
  items: ProvisionRow[];
  /** Why not everything was done, if so; says what was. */
  failure?: string;
}

/** Makes an InfluxDB match the buckets of a registry. Repeating anything is safe. */
export interface Provisioner {
  /**
   * Says what would be done, and changes nothing.
   *
   * @param buckets - by name; retention in seconds
   * @throws PackError `provision-failed` when InfluxDB cannot be looked at, in plain words
   */
  plan(buckets: ReadonlyMap<string, { retention: number }>): Promise<ProvisionPlan>;
  /**
   * Does what the plan says, one bucket after the other, each looked at again first and afterwards. Never rejects: what
   * could not be done is in the report.
   *
   * @param options - `signal`: once aborted, no other change is begun
   * @param step - told of each change that was to be made
   */
  apply(
    plan: ProvisionPlan,
    options: { allowShorten: boolean; signal?: AbortSignal },
    step?: (item: ProvisionItem, result: ProvisionResult) => void,
  ): Promise<ProvisionReport>;
}

/** A bucket as it is. */
export interface FoundBucket {
  name: string;
  /** Seconds; 0: for ever. */
  retention: number;
  /** Seconds. */
  shard?: number;
  /** 2.x */
  id?: string;
  note?: string;
  /** What is wrong with it and not for the pack to put right. */
  fault?: string;
}

/** Retention and the length of a shard group always go together: InfluxDB refuses a retention below its shards. */
export interface Retention {
  /** Seconds. */
  retention: number;
  /** Seconds. */
  shard: number;
}

/** Everything that a version has to say of its buckets. */
export interface Inventory {
  /** All but InfluxDB's own. */
  found: FoundBucket[];
  /** What to know of any bucket that is not among them. */
  noteOnMissing?: string;
  /** What to know of single buckets that are not among them. */
  notes?: ReadonlyMap<string, string>;
  /** How many buckets the server holds at most. */
  limit?: number;
}

/** How one version of InfluxDB keeps its buckets. All reject with a `ProvisionError`. */
export interface BucketKeeper {
  /** @param names - of those that must not be overlooked */
  look(names: readonly string[]): Promise<Inventory>;
  find(name: string): Promise<FoundBucket | undefined>;
  create(name: string, retention: Retention): Promise<void>;
  change(bucket: FoundBucket, retention: Retention): Promise<void>;
}

/** Why InfluxDB cannot be looked at or changed, in plain words with those of the server. */
export class ProvisionError extends PackError {
  /** Whether only one bucket is at fault, so that others may still be changed. */
  readonly isOfBucket: boolean;

  constructor(message: string, options: ErrorOptions & { isOfBucket?: boolean } = {}) {
    super('provision-failed', message, options);
    this.isOfBucket = options.isOfBucket ?? false;
  }
}

const HOUR = 3600;
const DAY = 24 * HOUR;
/** All versions: InfluxDB drops whole shards, and none is shorter. */
const SHORTEST_RETENTION = HOUR;

/** The length of shard groups that InfluxDB itself chooses for a retention. */
export function shardFor(retention: number): number {
  if (retention === 0 || retention >= 180 * DAY) return 7 * DAY;
  return retention < 2 * DAY ? HOUR : DAY;
}

export class KeeperProvisioner implements Provisioner {
  readonly #keeper: BucketKeeper;

  constructor(keeper: BucketKeeper) {
    this.#keeper = keeper;
  }

  async plan(buckets: ReadonlyMap<string, { retention: number }>): Promise<ProvisionPlan> {
    for (const [name, { retention }] of buckets) checkRetention(name, retention);
    const { found, noteOnMissing, notes, limit } = await this.#keeper.look([...buckets.keys()]);
    const byName = new Map(found.map((bucket) => [bucket.name, bucket]));
    const items = [...buckets].map(([name, { retention }]) =>
      compared(name, { retention }, byName.get(name), notes?.get(name) ?? noteOnMissing),
    );
    const surplus = found.filter(({ name }) => !buckets.has(name)).map(surplusItem);
    const missing = items.filter(({ state }) => state === 'missing').length;
    const plan = { items: [...items, ...surplus] };
    if (limit === undefined || missing === 0 || found.length + missing <= limit) return plan;
    const obstacle = `This InfluxDB holds ${limit} databases at most: ${found.length} are there and ${missing} more are wanted. Delete what is not needed, or declare fewer buckets`;
    for (const item of items) if (item.state === 'missing') item.note = obstacle;
    return { ...plan, obstacle };
  }

  async apply(
    plan: ProvisionPlan,
    { allowShorten, signal }: { allowShorten: boolean; signal?: AbortSignal },
    step: (item: ProvisionItem, result: ProvisionResult) => void = () => undefined,
  ): Promise<ProvisionReport> {
    const rows: ProvisionRow[] = [];
    let obstacle = plan.obstacle;
    for (const item of plan.items) {
      const { wanted } = item;
      if (!wanted || item.change === 'none') {
        rows.push(item);
        continue;
      }
      if (signal?.aborted === true) obstacle ??= 'it was stopped before';
      const row = obstacle === undefined ? await this.#change(item, wanted, allowShorten) : untried(item, obstacle);
      if (row.stops) obstacle = row.result.reason;
      rows.push({ ...row.item, ...row.result });
      step(row.item, row.result);
    }
    return { items: rows, ...failureOf(rows) };
  }

  async #change(item: ProvisionItem, wanted: { retention: number }, allowShorten: boolean): Promise<Changed> {
    const { bucket } = item;
    let now: ProvisionItem;
    let before: FoundBucket | undefined;
    try {
      // The plan may be old, and what was to be lengthened then could be shortened now.
      before = await this.#keeper.find(bucket);
      now = compared(bucket, wanted, before, item.note);
    } catch (error) {
      return failed(item, error);
    }
    if (now.change === 'none') return { item: now, result: { outcome: 'done' } };
    if (now.change === 'shorten' && !allowShorten) return { item: now, result: unconfirmed(now) };
    const retention = { retention: wanted.retention, shard: shardFor(wanted.retention) };
    let trouble: { error: unknown } | undefined;
    try {
      if (before) await this.#keeper.change(before, retention);
      else await this.#keeper.create(bucket, retention);
    } catch (error) {
      // InfluxDB has refused it.
      if (isOfBucket(error)) return failed(now, error);
      trouble = { error };
    }
    return this.#verified(now, wanted, trouble);
  }

  /** What InfluxDB says it did is not always what it has done, and its answer can be lost when it has done it. */
  async #verified(item: ProvisionItem, wanted: { retention: number }, trouble?: { error: unknown }): Promise<Changed> {
    let after: FoundBucket | undefined;
    try {
      after = await this.#keeper.find(item.bucket);
    } catch (error) {
      const reason = `${reasonOf(trouble ? trouble.error : error)}; ${UNKNOWN}`;
      return { item, result: { outcome: 'failed', reason }, stops: true };
    }
    const { shard, retention } = after ?? {};
    const now = retention === undefined ? item : { ...item, found: foundOf({ retention, shard }) };
    if (after && isAsWanted(after, wanted)) return { item: now, result: { outcome: 'done' } };
    if (trouble) return failed(now, trouble.error);
    const has = retention === undefined ? 'no such bucket' : `a retention of ${retentionText(retention)}`;
    const of = retention === wanted.retention ? ` in shard groups of ${retentionText(shard ?? 0)}` : '';
    return { item: now, result: { outcome: 'failed', reason: `${TAKEN}, and yet has ${has}${of}` } };
  }
}

const TAKEN = 'InfluxDB took the change';
const UNKNOWN = 'it is not known whether it was changed: send plan';

/** 3.x has no shard groups to speak of. */
function isAsWanted({ retention, shard }: FoundBucket, wanted: { retention: number }): boolean {
  return retention === wanted.retention && (shard === undefined || shard === shardFor(retention));
}

function isOfBucket(error: unknown): boolean {
  return error instanceof ProvisionError && error.isOfBucket;
}

function failed(item: ProvisionItem, error: unknown): Changed {
  return { item, result: { outcome: 'failed', reason: reasonOf(error) }, stops: !isOfBucket(error) };
}

interface Changed {
  item: ProvisionItem;
  result: ProvisionResult;
  /** Nothing else can be changed either. */
  stops?: boolean;
}

function checkRetention(name: string, retention: number): void {
  if (Number.isSafeInteger(retention) && retention >= SHORTEST_RETENTION) return;
  throw new ProvisionError(
    `The retention of "${name}" is ${retention} s: InfluxDB keeps points for an hour at least, in whole seconds. Nothing was changed`,
  );
}

function compared(
  bucket: string,
  wanted: { retention: number },
  found: FoundBucket | undefined,
  noteOnMissing: string | undefined,
): ProvisionItem {
  if (!found) return { bucket, state: 'missing', wanted, change: 'create', ...withNote(noteOnMissing) };
  const base = { bucket, wanted, found: foundOf(found), ...withNote(found.fault ?? found.note) };
  if (found.retention === wanted.retention && found.fault === undefined && !isAsWanted(found, wanted)) {
    const hint = `its shard groups are to be of ${retentionText(shardFor(wanted.retention))} each`;
    const note = [found.note, hint].filter((each) => each !== undefined).join('; ');
    return { ...base, note, state: 'different', change: 'reshard' };
  }
  if (found.retention === wanted.retention) {
    return { ...base, state: found.fault === undefined ? 'same' : 'different', change: 'none' };
  }
  const isShorter = found.retention === 0 || wanted.retention < found.retention;
  return { ...base, state: 'different', change: isShorter ? 'shorten' : 'lengthen' };
}

function surplusItem(found: FoundBucket): ProvisionItem {
  const forEver = found.retention === 0 ? 'it keeps its points for ever' : undefined;
  const note = [found.note, forEver].filter((each) => each !== undefined).join('; ');
  return { bucket: found.name, state: 'surplus', found: foundOf(found), change: 'none', ...withNote(note) };
}

function foundOf({ retention, shard }: { retention: number; shard?: number | undefined }): {
  retention: number;
  shard?: number;
} {
  return { retention, ...(shard !== undefined && { shard }) };
}

function withNote(note: string | undefined): { note?: string } {
  return note === undefined || note === '' ? {} : { note };
}

function unconfirmed({ found, wanted }: ProvisionItem): ProvisionResult {
  const change = `from ${retentionText(found?.retention ?? 0)} to ${retentionText(wanted?.retention ?? 0)}`;
  const reason = `shortening the retention ${change} deletes points: confirm it`;
  return { outcome: 'unconfirmed', reason };
}

function untried(item: ProvisionItem, obstacle: string): Changed {
  return { item, result: { outcome: 'untried', reason: obstacle } };
}

/** Seconds as a person reads them. */
export function retentionText(seconds: number): string {
  return seconds === 0 ? 'for ever' : durationText(seconds * 1000);
}

function failureOf(rows: readonly ProvisionRow[]): { failure?: string } {
  const failed = rows.filter(({ outcome }) => outcome === 'failed' || outcome === 'untried');
  const [first] = failed;
  if (!first) return {};
  const done = rows.filter(({ outcome }) => outcome === 'done').map(({ bucket }) => `"${bucket}"`);
  const isSure = !failed.some(({ reason = '' }) => reason.startsWith(TAKEN) || reason.endsWith(UNKNOWN));
  const nothing = isSure ? 'Nothing was changed' : 'Nothing else was changed';
  const changed = done.length === 0 ? nothing : `Changed before or beside it: ${done.join(', ')}`;
  const others = failed.slice(1).map(({ bucket }) => `"${bucket}"`);
  const also = others.length === 0 ? '' : ` Not changed either: ${others.join(', ')}.`;
  return { failure: `"${first.bucket}": ${first.reason ?? ''}.${also} ${changed}` };
}
