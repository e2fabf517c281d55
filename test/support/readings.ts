import type { Influxd } from './influxd';
import { Literal, nowNanoseconds, sign, signedTime } from './messages';
import type { Outgoing } from './publisher';

const SITE = 'hall';

/** One reading of a simulated climate sensor, and the row it must become. */
export interface Reading extends Outgoing {
  device: string;
  /** Nanoseconds since 1970. */
  time: string;
  temperature: string;
  count: string;
}

/** Where it is stored: series and time. */
export function identityOf(tags: Record<string, string>, time: string): string {
  return `${tags['site'] ?? ''}/${tags['device'] ?? ''}@${time}`;
}

/**
 * Signed readings of the topic `sensors/{site}/{device}/climate`, each with a time and a value of its own that follow
 * from its index, so that what is stored can be compared with what was sent.
 */
export class Readings {
  readonly #key: Buffer | string;
  readonly #start: bigint;
  readonly #devices: number;
  readonly #byIdentity = new Map<string, Reading>();

  constructor(key: Buffer | string, options: { start?: bigint; devices?: number } = {}) {
    this.#key = key;
    this.#start = options.start ?? nowNanoseconds();
    this.#devices = options.devices ?? 20;
  }

  /** Makes the reading of this index, and remembers it. */
  readonly make = (index: number): Reading => {
    const device = `d${index % this.#devices}`;
    const time = this.#start + BigInt(index) * 1_001n;
    const temperature = `${(index * 7919) % 100_003}.${(index % 9) + 1}`;
    const payload = { ...signedTime(time), temperature: new Literal(temperature), count: index };
    const reading = {
      topic: `sensors/${SITE}/${device}/climate`,
      payload: sign(payload, this.#key),
      device,
      time: String(time),
      temperature,
      count: String(index),
    };
    this.#byIdentity.set(identityOf({ site: SITE, device }, reading.time), reading);
    return reading;
  };

  made(): number {
    return this.#byIdentity.size;
  }

  identities(): string[] {
    return [...this.#byIdentity.keys()];
  }

  /**
   * Compares what InfluxDB holds with what was made: which readings it holds, and each row that is not exactly what was
   * sent, or is there twice.
   */
  async compare(
    influxd: Influxd,
    database = 'iot',
    bucket = 'raw',
  ): Promise<{ stored: Set<string>; faults: string[] }> {
    const stored = new Set<string>();
    const faults: string[] = [];
    for (const { tags, time, fields } of await influxd.points(database, bucket, 'climate')) {
      const identity = identityOf(tags, time);
      const reading = this.#byIdentity.get(identity);
      if (!reading) faults.push(`never sent: ${identity}`);
      else if (stored.has(identity)) faults.push(`stored twice: ${identity}`);
      else if (Number(fields['temperature']) !== Number(reading.temperature) || fields['count'] !== reading.count) {
        faults.push(
          `changed: ${identity} ${JSON.stringify(fields)} instead of ${reading.temperature}, ${reading.count}`,
        );
      }
      stored.add(identity);
    }
    return { stored, faults };
  }
}
