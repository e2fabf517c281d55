import { lineOf } from '../influx/line-protocol';
import type { PackError } from '../errors';
import type { FieldValue } from '../point';
import type { StoredCallback } from '../store/queue';
import { aggregate } from './functions';
import type { Rule } from './rules';
import type { SeriesWindow } from './windows';

/** Lines that are handed to the queue before it has stored them. */
const MOST_UNDER_WAY = 5000;

/** The fields that hold the results of a window of a series; undefined when none of its fields has a value. */
export function resultFields(rule: Rule, { values }: SeriesWindow): Record<string, FieldValue> | undefined {
  if (values.size === 0) return undefined;
  const fields: Record<string, FieldValue> = {};
  for (const [field, functions] of rule.fields) {
    const ofField = values.get(field);
    if (ofField === undefined) continue;
    for (const [name, value] of Object.entries(aggregate(ofField, functions)))
      fields[`${field}_${name}`] = { type: 'float', value };
  }
  return fields;
}

/** The names of the fields that hold the results of a field. */
export function resultNames(field: string, functions: readonly string[]): string[] {
  return [...new Set([...functions, 'count'])].map((name) => `${field}_${name}`);
}

/**
 * The line that holds results.
 *
 * @param time - in nanoseconds since 1970
 */
export function resultLine(
  rule: Rule,
  tags: Readonly<Record<string, string>>,
  fields: Record<string, FieldValue>,
  time: string,
): string {
  return lineOf({ bucket: rule.into, measurement: rule.measurement, tags: { ...tags }, fields, time });
}

/** Hands results to the queue, no faster than it stores them. */
export class Results {
  readonly #accept: (line: string, stored: StoredCallback) => void;
  #underWay = 0;
  #failure: PackError | undefined;
  #settled: () => void = () => undefined;

  constructor(accept: (line: string, stored: StoredCallback) => void) {
    this.#accept = accept;
  }

  /** @throws PackError when an earlier line could not be stored */
  async add(line: string): Promise<void> {
    this.#underWay++;
    this.#accept(line, (error) => {
      this.#underWay--;
      this.#failure ??= error;
      this.#settled();
    });
    if (this.#underWay >= MOST_UNDER_WAY) await this.#until(MOST_UNDER_WAY / 2);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Resolves when all lines are stored.
   *
   * @throws PackError when one of them could not be
   */
  async stored(): Promise<void> {
    await this.#until(0);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when nothing is under way any more, whatever became of it. */
  async settled(): Promise<void> {
    await this.#until(0);
  }

  async #until(left: number): Promise<void> {
    while (this.#underWay > left) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve;
      });
    }
  }
}
