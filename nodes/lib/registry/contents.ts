import { durationText } from './durations';
import type { Complain } from './fault';
import type { Aggregate, TopicEntry } from './registry';

interface Windows {
  every: number;
  /** Bucket of the raw points. */
  from: string;
}

interface Content {
  /** The topic that said so first. */
  filter: string;
  /** Undefined: it holds the points of topics. */
  windows: Windows | undefined;
}

/**
 * What each measurement of each bucket holds: the points of topics, or the windows of one length over one other bucket.
 * Windows of two lengths or sources would overwrite each other wherever both start, as would windows and points; and
 * windows that a rule takes for raw points could be computed round and round.
 */
export class Contents {
  private readonly contents = new Map<string, Content>();

  /** @returns whether the topic's points can go there; what speaks against it is reported */
  addPoints(
    { filter, bucket, measurement }: Pick<TopicEntry, 'filter' | 'bucket' | 'measurement'>,
    complain: Complain,
  ): boolean {
    const { filter: earlier, windows } = this.settle(bucket, measurement, { filter, windows: undefined });
    if (windows === undefined) return true;
    complain(['bucket'], `${another(bucket, measurement)} what topic ${earlier} aggregates`);
    return false;
  }

  /**
   * @param segments - where the aggregate is in the topic
   * @returns whether the windows can go there; what speaks against it is reported
   */
  addWindows(
    { filter, bucket, measurement }: TopicEntry,
    { every, into }: Aggregate,
    segments: readonly (string | number)[],
    complain: Complain,
  ): boolean {
    const { filter: earlier, windows } = this.settle(into, measurement, { filter, windows: { every, from: bucket } });
    if (windows === undefined) {
      complain([...segments, 'into'], `${another(into, measurement)} the points of topic ${earlier}`);
      return false;
    }
    if (windows.from !== bucket) {
      const theirs = `windows of bucket "${windows.from}" (topic ${earlier})`;
      const reason = `${another(into, measurement)} ${theirs}, and those of bucket "${bucket}" would overwrite them`;
      complain([...segments, 'into'], reason);
      return false;
    }
    if (windows.every !== every) {
      const usual = durationText(windows.every);
      const reason = `must be ${usual}, as topic ${earlier} has it for ${placeOf(into, measurement)}`;
      complain([...segments, 'every'], reason);
      return false;
    }
    return true;
  }

  /** The first to say what a measurement holds is right. */
  private settle(bucket: string, measurement: string, content: Content): Content {
    const key = JSON.stringify([bucket, measurement]);
    const settled = this.contents.get(key) ?? content;
    this.contents.set(key, settled);
    return settled;
  }
}

function placeOf(bucket: string, measurement: string): string {
  return `measurement "${measurement}" of bucket "${bucket}"`;
}

function another(bucket: string, measurement: string): string {
  return `must be another bucket, or the measurement another one: ${placeOf(bucket, measurement)} holds`;
}
