import { reasonOf } from '../lib/errors';
import type { ProvisionItem, Provisioner, ProvisionResult, ProvisionRow } from '../lib/influx/provision';
import type { Command } from './command';
import { driftOf, type Drift } from './drift';

/** A plan, or the report of what was done. */
export interface Provisioned {
  rows: ProvisionRow[];
  /** Why not everything was done, if so. */
  failure?: string;
}

export interface ProvisioningOptions {
  provisioner(): Provisioner;
  /** The registry's buckets; may throw while there is no registry. */
  buckets(): ReadonlyMap<string, { retention: number }>;
  /** A change has been made, or was to be made. */
  step(item: ProvisionItem, result: ProvisionResult): void;
  /** What there is to show has changed. */
  changed(): void;
}

/** Carries out commands one after the other, and knows what was last seen. */
export class Provisioning {
  readonly #options: ProvisioningOptions;
  readonly #closing = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  /** What is being done. */
  working: Command['name'] | undefined;
  /** Why the last command was not carried out, or not to its end, if so. */
  failure: string | undefined;
  /** As last seen; undefined: not yet. */
  drift: Drift | undefined;

  constructor(options: ProvisioningOptions) {
    this.#options = options;
  }

  /** @throws PackError when InfluxDB cannot be looked at, or there is no registry */
  carryOut(command: Command): Promise<Provisioned> {
    // In turn: what is being changed must not be looked at meanwhile.
    const result = this.#last.then(() => this.#shown(command));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Begins no other change; resolves when what is under way has been done, and said. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
  }

  async #shown(command: Command): Promise<Provisioned> {
    this.working = command.name;
    this.#options.changed();
    try {
      const result = await this.#carryOut(command);
      this.failure = result.failure;
      this.drift = driftOf(result.rows);
      return result;
    } catch (error) {
      this.failure = reasonOf(error);
      throw error;
    } finally {
      this.working = undefined;
      this.#options.changed();
    }
  }

  async #carryOut({ name, allowShorten }: Command): Promise<Provisioned> {
    const provisioner = this.#options.provisioner();
    const plan = await provisioner.plan(this.#options.buckets());
    if (name === 'plan') return { rows: plan.items };
    const options = { allowShorten, signal: this.#closing.signal };
    const { items, failure } = await provisioner.apply(plan, options, (item, result) =>
      this.#options.step(item, result),
    );
    return { rows: items, ...(failure !== undefined && { failure }) };
  }
}
