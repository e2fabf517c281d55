import type { FieldType } from '../point';
import { Contents } from './contents';
import { EVENT_COLUMNS } from './events';
import type { Complain } from './fault';
import type { TopicEntry } from './registry';

/** What a column of a measurement is. */
type ColumnType = FieldType | 'tag';

interface Claim {
  type: ColumnType;
  /** The topic that said so first. */
  filter: string;
}

/**
 * The columns that all topics together give to each measurement of each bucket. InfluxDB refuses a point whose field
 * has another type than before, and confuses a tag and a field of one name: so no two topics may disagree.
 */
export class Columns {
  private readonly contents = new Contents();
  private readonly claims = new Map<string, Claim>();

  /** Adds what one topic writes; reports where that does not go together with the topics before it, or with itself. */
  add(entry: TopicEntry, fieldsPath: readonly string[], complain: Complain): void {
    if (this.contents.addPoints(entry, complain)) {
      this.claimTags(entry, entry.bucket, complain);
      for (const { name, type } of entry.format.fields) {
        this.claim(entry, entry.bucket, name, type, [...fieldsPath, name], complain);
      }
    }
    this.addEvents(entry, complain);
    for (const [index, aggregate] of entry.aggregates.entries()) {
      const segments = ['aggregate', index];
      if (!this.contents.addWindows(entry, aggregate, segments, complain)) continue;
      const { functions, into, fields } = aggregate;
      this.claimTags(entry, into, complain);
      for (const field of fields) {
        for (const result of [...functions, 'count']) {
          this.claim(entry, into, `${field}_${result}`, 'float', [...segments, 'into'], complain);
        }
      }
    }
  }

  /** A column that is a tag of the topic is left out of its events. */
  private addEvents({ filter, bucket, measurement, events, tags }: TopicEntry, complain: Complain): void {
    if (events === undefined) return;
    const segments = ['events'];
    if (events === measurement) {
      complain(segments, 'must be another measurement than that of the messages');
      return;
    }
    const place = { filter, bucket, measurement: events };
    if (!this.contents.addPoints(place, (_, reason) => complain(segments, reason))) return;
    for (const name of Object.keys(tags)) this.claim(place, bucket, name, 'tag', segments, complain);
    for (const [name, type] of Object.entries(EVENT_COLUMNS)) {
      if (!Object.hasOwn(tags, name)) this.claim(place, bucket, name, type, segments, complain);
    }
  }

  private claimTags(entry: TopicEntry, bucket: string, complain: Complain): void {
    for (const name of Object.keys(entry.tags)) this.claim(entry, bucket, name, 'tag', ['tags', name], complain);
  }

  private claim(
    { filter, measurement }: Pick<TopicEntry, 'filter' | 'measurement'>,
    bucket: string,
    name: string,
    type: ColumnType,
    segments: readonly (string | number)[],
    complain: Complain,
  ): void {
    const key = JSON.stringify([bucket, measurement, name]);
    const earlier = this.claims.get(key);
    if (earlier === undefined) {
      this.claims.set(key, { type, filter });
    } else if (earlier.type !== type) {
      const where = `measurement "${measurement}" of bucket "${bucket}"`;
      complain(segments, `makes "${name}" a ${type} in ${where}; topic ${earlier.filter} makes it a ${earlier.type}`);
    }
  }
}
