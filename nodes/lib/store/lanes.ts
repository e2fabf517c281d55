import { PRIORITIES, type Priority } from './keys';
import { Lane } from './lane';
import { sumBytes } from './commit';

/** For each priority a sequence, up to but not including which something holds of a bucket's chunks. */
export type Reach = Readonly<Record<Priority, number>>;

const NOTHING: Reach = { event: 0, sensor: 0 };

/** The lanes of one server's queue. */
export class Lanes {
  readonly #server: string;
  readonly #lanes = new Map<string, Record<Priority, Lane>>();

  constructor(server: string) {
    this.#server = server;
  }

  of(bucket: string, priority: Priority): Lane {
    let lanes = this.#lanes.get(bucket);
    if (lanes === undefined) {
      lanes = { event: new Lane(this.#server, bucket, 'event'), sensor: new Lane(this.#server, bucket, 'sensor') };
      this.#lanes.set(bucket, lanes);
    }
    return lanes[priority];
  }

  /** Undefined for a bucket that never had points. */
  find(bucket: string): Readonly<Record<Priority, Lane>> | undefined {
    return this.#lanes.get(bucket);
  }

  all(): Lane[] {
    return Array.from(this.#lanes.values(), ({ event, sensor }) => [event, sensor]).flat();
  }

  bytes(): number {
    return sumBytes(this.all());
  }

  /** Buckets that hold points. */
  buckets(): string[] {
    const buckets: string[] = [];
    for (const [bucket, lanes] of this.#lanes) {
      if (PRIORITIES.some((priority) => lanes[priority].points > 0)) buckets.push(bucket);
    }
    return buckets;
  }

  /** Every chunk with a lower sequence has left the queue. */
  left(bucket: string): Reach {
    const lanes = this.#lanes.get(bucket);
    return lanes === undefined ? NOTHING : { event: lanes.event.lowest(), sensor: lanes.sensor.lowest() };
  }
}
