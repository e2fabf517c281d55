import { isDeepStrictEqual } from 'node:util';
import { parseJson } from '../store/json';
import type { Alarm, Source } from './alarm';
import { SeenMessages } from './seen';

/** A change of state that must last for the on- or off-delay before it counts. */
export interface Turning {
  /** Signed time of the message that began it, in nanoseconds since 1970. */
  since: string;
  /** When that message came, in milliseconds since 1970. */
  from: number;
  /** Messages that have said so. */
  count: number;
  /** The message counted though its signed time says that it is old: the state begins when it came. */
  isLate?: true;
}

/** All that is remembered of an alarm. */
export interface AlarmRecord {
  /** By the registry as it was when the newest message came. */
  source: Source;
  /** Signed time of the newest message, in nanoseconds since 1970: what is not newer changes nothing. */
  newest: string;
  /** The highest signed time before the device's clock, or this one, was put back; until `newest` is beyond it. */
  highest?: string;
  /** Of an alarm's messages, so that copies are known. Missing in records of old releases. */
  seen?: SeenMessages;
  /** What that message said. */
  active: boolean;
  /** It was a sensor's reading, and not each of these is stored. */
  reading: boolean;
  state: Alarm['state'];
  acknowledged: boolean;
  silent: boolean;
  since: number;
  changed: number;
  severity?: string;
  count: number;
  turning?: Turning;
  /** An operator has had it forgotten, and nothing has come since. */
  forgotten?: boolean;
  /** Milliseconds, of those in which this node runs, after which the alarm ends by itself; see endings.ts. */
  left?: number;
  /** The registry's entry, in whose share of the room it is; see room.ts. */
  entry?: string;
  /** When the newest message came, in milliseconds since 1970. */
  heard: number;
  /** Milliseconds in which the next one is expected. */
  interval?: number;
  /** When it counts as silent, in milliseconds since 1970, where `heard` and `interval` do not say so; see silence.ts. */
  patience?: number;
  /** `time` of the newest change. */
  stamp: string;
}

/** An alarm nobody has heard of before. */
export function newRecord(source: Source, now: number, reading = false): AlarmRecord {
  return {
    source,
    newest: '',
    active: false,
    reading,
    state: 'cleared',
    acknowledged: false,
    silent: false,
    since: 0,
    changed: now,
    count: 0,
    heard: now,
    stamp: '0',
  };
}

/** The registry may have given the topic another place. Returns whether it has. */
export function follow(record: AlarmRecord, source: Source): boolean {
  const before = record.source;
  // A topic mostly has the same source, as the same object.
  if (before === source) return false;
  record.source = source;
  return !isDeepStrictEqual(before, source);
}

export function alarmOf(record: AlarmRecord): Alarm {
  const { source, state, acknowledged, silent, since, changed, severity, count } = record;
  return {
    id: source.topic,
    state,
    acknowledged,
    silent,
    since,
    changed,
    ...(severity !== undefined && { severity }),
    count,
    tags: { ...source.tags },
  };
}

export function encodeRecord(record: AlarmRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** Undefined for what no release has written. */
export function decodeRecord(value: Buffer): AlarmRecord | undefined {
  const record = parseJson(value) as Partial<AlarmRecord> | null | undefined;
  const complete =
    typeof record?.source?.topic === 'string' &&
    typeof record.newest === 'string' &&
    /^\d{0,20}$/.test(record.newest) &&
    typeof record.heard === 'number';
  if (!complete) return undefined;
  const { seen, ...rest } = record as AlarmRecord;
  return seen === undefined ? rest : { ...rest, seen: SeenMessages.from(seen) };
}
