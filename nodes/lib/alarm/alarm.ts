import { defaultEvents } from '../registry/events';

/** What can happen to an alarm. */
export type ChangeEvent =
  'raised' | 'escalated' | 'eased' | 'cleared' | 'acknowledged' | 'silent' | 'returned' | 'forgotten';

/** An alarm as operators see it: what the messages of one topic have said. */
export interface Alarm {
  /** The topic, which no other alarm has: `alarms/hall/d1/smoke`. */
  id: string;
  state: 'raised' | 'cleared';
  /** An operator has seen it since it was last raised or fell silent. */
  acknowledged: boolean;
  /** Nothing has come for longer than the registry's interval allows. */
  silent: boolean;
  /**
   * Signed time of the message that began the state, in milliseconds since 1970; or when it came, if it counted though it
   * was signed before others.
   */
  since: number;
  /** When the newest change was noticed here, in milliseconds since 1970. */
  changed: number;
  /** As in the newest message that says `active: true`, if there has been one. */
  severity?: string;
  /** Messages that have said the same since the state began; copies do not count. */
  count: number;
  tags: Record<string, string>;
}

/** One change of an alarm. */
export interface Change {
  event: ChangeEvent;
  /** The alarm as it was right after the change. */
  alarm: Alarm;
  /**
   * Nanoseconds since 1970 as decimal digits, different for each change of a series: the signed time of the message that
   * brought it, so that whoever else writes it writes the same row; or when it was noticed here.
   */
  time: string;
  /** Who acknowledged it or had it forgotten, or what ended it: `clear_after`, `silence`, `no-room`. */
  by?: string;
}

/** Where messages of an alarm come from, and where its changes are written. Several topics can share a series. */
export interface Source {
  topic: string;
  bucket: string;
  measurement: string;
  /** Measurement of the changes. Missing in what old releases have stored; see {@link eventsOf}. */
  events?: string;
  tags: Readonly<Record<string, string>>;
}

/** The measurement of the changes: never that of the device's own data. */
export function eventsOf({ events, measurement }: Source): string {
  return events ?? defaultEvents(measurement);
}

/** What a verified message says. */
export interface Said {
  /** The signed time, in nanoseconds since 1970 as decimal digits without leading zeros. */
  time: string;
  /** Undefined for a sensor's reading: it only shows that the sensor is alive. */
  active: boolean | undefined;
  severity?: string | undefined;
}

/** The series that changes are rows of. */
export function seriesOf(source: Source): string {
  const { bucket, tags } = source;
  const sorted = Object.entries(tags).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([bucket, eventsOf(source), sorted]);
}
