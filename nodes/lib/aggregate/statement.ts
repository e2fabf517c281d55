import { quotedName, quotedText } from '../influx/influxql';
import { resultNames } from './results';
import type { Rule } from './rules';
import type { SeriesSet } from './mark';
import { tagsOf } from './scan';

/** Nanoseconds of a time in milliseconds, as InfluxQL and line protocol write them. */
export function nanoseconds(milliseconds: number): string {
  return String(BigInt(milliseconds) * 1_000_000n);
}

/**
 * Reads the raw rows of a time range, `to` not included, a series after the other. Where a name was a tag and no field, its
 * column holds the tag's text, which is no number.
 */
export function statementOf(rule: Rule, from: number, to: number, series: SeriesSet): string {
  return selection(rule, [...rule.fields.keys()], from, to, series);
}

/** Reads what is stored as results of windows in a time range; as of raw rows. */
export function resultStatement(rule: Rule, from: number, to: number, series: SeriesSet): string {
  const names = [...rule.fields].flatMap(([field, functions]) => resultNames(field, functions));
  return selection(rule, names, from, to, series);
}

function selection(rule: Rule, names: readonly string[], from: number, to: number, series: SeriesSet): string {
  const fields = names.map(quotedName).join(', ');
  const condition = series === undefined ? '' : seriesCondition(series);
  return (
    `SELECT ${fields} FROM ${quotedName(rule.measurement)} ` +
    `WHERE time >= ${nanoseconds(from)} AND time < ${nanoseconds(to)}${condition} GROUP BY *`
  );
}

/** InfluxDB 1.6.7 stores these in tags, and cannot parse them in a statement. */
const UNSPEAKABLE = /[\r\0]/;

/**
 * Series that have more tags than these match as well; what is computed of them, or of all, is right too.
 *
 * Without `::tag`, 1.x and 2.x look for a field where any shard in the range has a field of that name, and find no row.
 */
function seriesCondition(series: Exclude<SeriesSet, undefined>): string {
  for (const key of series) if (UNSPEAKABLE.test(key)) return '';
  const alternatives = Array.from(series, (key) => Object.entries(tagsOf(key)));
  if (alternatives.some((tags) => tags.length === 0)) return '';
  const conditions = alternatives.map((tags) =>
    tags.map(([name, value]) => `${quotedName(name)}::tag = ${quotedText(value)}`).join(' AND '),
  );
  return ` AND (${conditions.map((condition) => `(${condition})`).join(' OR ')})`;
}
