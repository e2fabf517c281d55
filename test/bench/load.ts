import { sign } from '../support/messages';
import type { Outgoing } from '../support/publisher';

/** The key of every device of the bench, and of every peer. */
export const SECRET = 'bench: one secret for every device';
/** What the peers subscribe to. */
export const TOPIC_FILTER = 'sensors/#';
export const DATABASE = 'bench';
/** The retention policy that the points go to, so the bucket of the registry. */
export const BUCKET = 'raw';
export const MEASUREMENT = 'climate';

const SITES = ['north', 'south', 'east', 'west'];
const DEVICES_PER_SITE = 5;
/** Microseconds between two messages. */
const BETWEEN = 10;

/** The retention policy of aggregates. */
export const AVERAGES = 'averages';

/** The same format in the registry document, for the pack. */
export const REGISTRY = `version: 1
buckets:
  ${BUCKET}: { retention: 1d }
  ${AVERAGES}: { retention: 30d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: ${BUCKET}
    measurement: ${MEASUREMENT}
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, minimum: -40, maximum: 85 }
      humidity: { type: float, minimum: 0, maximum: 100 }
`;

/** Two decimals, never `.00`: what Python writes as `20.0` a flow made by hand refuses, and that is not what is measured. */
function reading(lowest: number, index: number, step: number): number {
  return Number((lowest + ((index * step) % 40) + (1 + (index % 99)) / 100).toFixed(2));
}

/** The same, aggregated. */
export const AGGREGATING_REGISTRY = `${REGISTRY}    aggregate:
      - { every: 5m, functions: [mean, median, min, max, sum], into: ${AVERAGES} }
`;

/**
 * `count` signed messages of 20 devices, each with a time of its own, in canonical text.
 *
 * @param between - microseconds from one to the next, by their times
 */
export function signedMessages(count: number, between = BETWEEN): Outgoing[] {
  const start = Math.floor(Date.now() / 1000 - (count * between) / 1e6) - 60;
  return Array.from({ length: count }, (_, index) => {
    const site = SITES[index % SITES.length] ?? '';
    const device = Math.floor(index / SITES.length) % DEVICES_PER_SITE;
    const nanoseconds = index * between * 1000;
    const payload = {
      temperature: reading(-10, index, 3),
      humidity: reading(30, index, 7),
      ts: start + Math.floor(nanoseconds / 1e9),
      ts_ns: nanoseconds % 1e9,
    };
    return {
      topic: `sensors/${site}/device-${device}/climate`,
      payload: sign(payload, SECRET),
    };
  });
}
