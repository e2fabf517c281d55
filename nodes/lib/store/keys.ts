/**
 * The keys of everything that is kept in the store. All are text, and `/` separates their parts, so that LevelDB's byte
 * order puts together what is read together:
 *
 * ```
 * chunk/<server>/<bucket>/<0 event | 1 sensor>/<sequence>   some accepted lines, see chunk.ts
 * lane/<server>/<bucket>/<0 | 1>                            how much the lane holds, see ledger.ts
 * checked/<server>                                          the last repair after which the lanes were counted anew
 * repaired                                                  when the store was repaired last
 * rules/<server>/<node>                                     the rules by which a node aggregates, see ../aggregate/marks.ts
 * mark/<server>/<node>/<rule>/<window start>                a window that is to be computed
 * stretch/<server>/<node>/<rule>/<start>                    many of these; the value: from when to when
 * alarm/<alarm-state>/<alarm>                               the state of one alarm, see ../alarm/record.ts
 * owed/<alarm-state>/<time>/<alarm>                         a change that may not have arrived, see ../alarm/debt.ts
 * listened/<alarm-state>/<sequence>                         when sensors were last heard, see ../alarm/listening.ts
 * action/<broker>/<sequence>                                an action until its end is known, see ../action/record.ts
 * signed/<broker>                                           the newest time of a signed action, see ../action/signed-times.ts
 * packet/<broker>/<sequence>                                a packet until the broker has finished it, see ../mqtt/packets.ts
 * installation                                              what tells this installation's client ids from all others
 * format                                                    which form the store has, see format.ts
 * aside/<key>                                               what was found under that key and cannot be read
 * ```
 *
 * What lies under them has one form, see codec.ts.
 *
 * `<server>` is the place that the queue belongs to, see ../influx/place.ts; in a store of an early release, the id of the
 * `influx-server` node. A *lane* is the points of one bucket and priority; its chunks are in the order in which they were
 * accepted. Server and bucket are percent-encoded.
 */

/** `event`: alarms and actions, kept longest and written first. `sensor`: all else. */
export type Priority = 'event' | 'sensor';

/** In the order in which points are written. */
export const PRIORITIES: readonly Priority[] = ['event', 'sensor'];

/** 14 hexadecimal digits hold every safe integer; the fixed width makes byte order the order of numbers. */
const SEQUENCE_DIGITS = 14;

const CHUNK = 'chunk/';
const LANE = 'lane/';
const RULES = 'rules/';
const MARK = 'mark/';
const STRETCH = 'stretch/';

export const REPAIRED_KEY = 'repaired';
export const INSTALLATION_KEY = 'installation';
export const FORMAT_KEY = 'format';
/** See aside.ts. */
export const ASIDE = 'aside/';

/** What the keys of records begin with. */
const KINDS = new Set([
  ...[
    'chunk',
    'lane',
    'checked',
    'repaired',
    'rules',
    'mark',
    'stretch',
    'alarm',
    'owed',
    'listened',
    'action',
    'signed',
    'packet',
  ],
  ...['installation', 'format', 'signed'],
]);

/** Undefined for a key that no release has written. */
export function kindOf(key: string): string | undefined {
  const kind = key.slice(0, key.indexOf('/') < 0 ? undefined : key.indexOf('/'));
  return KINDS.has(kind) ? kind : undefined;
}

export interface KeyRange {
  gte: string;
  lt: string;
}

export function checkedKey(server: string): string {
  return `checked/${encode(server)}`;
}

export function laneKey(server: string, bucket: string, priority: Priority): string {
  return `${LANE}${encode(server)}/${encode(bucket)}/${digitOf(priority)}`;
}

/** What the keys of a lane's chunks start with; see {@link chunkKey}. */
export function chunkPrefix(server: string, bucket: string, priority: Priority): string {
  return `${CHUNK}${encode(server)}/${encode(bucket)}/${digitOf(priority)}/`;
}

export function chunkKey(prefix: string, sequence: number): string {
  return numberedKey(prefix, sequence);
}

/** A key under a prefix, so that byte order is the order of numbers; see {@link sequenceOf}. */
export function numberedKey(prefix: string, sequence: number): string {
  return prefix + sequence.toString(16).padStart(SEQUENCE_DIGITS, '0');
}

export function rulesKey(server: string, node: string): string {
  return `${RULES}${encode(server)}/${encode(node)}`;
}

export function rulesRange(server: string): KeyRange {
  return rangeUnder(`${RULES}${encode(server)}/`);
}

/** @param start - of the window, ms since 1970 */
export function markKey(server: string, node: string, rule: string, start: number): string {
  return `${MARK}${encode(server)}/${encode(node)}/${encode(rule)}/${start}`;
}

/** @param start - of the first window, ms since 1970 */
export function stretchKey(server: string, node: string, rule: string, start: number): string {
  return `${STRETCH}${encode(server)}/${encode(node)}/${encode(rule)}/${start}`;
}

export function stretchRange(server: string): KeyRange {
  return rangeUnder(`${STRETCH}${encode(server)}/`);
}

export function markRange(server: string): KeyRange {
  return rangeUnder(`${MARK}${encode(server)}/`);
}

/** The names in a key after the server's, decoded: of rules the node, of a mark node, rule and start. */
export function namesIn(key: string): string[] {
  return key.split('/').slice(2).map(decode);
}

export function sequenceOf(key: string): number {
  return Number.parseInt(key.slice(-SEQUENCE_DIGITS), 16);
}

/** All lanes, or those of one server. */
export function laneRange(server?: string): KeyRange {
  return rangeUnder(server === undefined ? LANE : `${LANE}${encode(server)}/`);
}

/** All chunks of a server. */
export function chunkRange(server: string): KeyRange {
  return rangeUnder(`${CHUNK}${encode(server)}/`);
}

/** What the keys of a broker's actions or packets start with; {@link numberedKey} makes the keys. */
export function outboxPrefix(sort: 'action' | 'packet', broker: string): string {
  return `${sort}/${encode(broker)}/`;
}

/** Where the newest signed time of a broker's actions is; all of them are in {@link signedRange}. */
export function signedKey(broker: string): string {
  return `signed/${encode(broker)}`;
}

export function signedRange(): KeyRange {
  return rangeUnder('signed/');
}

/** All keys of actions or packets, of every broker; {@link brokerOf} tells whose one is. */
export function outboxRange(sort: 'action' | 'packet'): KeyRange {
  return rangeUnder(`${sort}/`);
}

export function brokerOf(key: string): string {
  return decode(key.split('/')[1] ?? '');
}

/** All keys that start with such a prefix. */
export function prefixRange(prefix: string): KeyRange {
  return rangeUnder(prefix);
}

/** Whose lane or chunk this is; undefined for a key that no release has written. */
export function parseKey(key: string): { server: string; bucket: string; priority: Priority } | undefined {
  const parts = /^(?:chunk|lane)\/([^/]+)\/([^/]*)\/([01])(?:\/[0-9a-f]{14})?$/.exec(key);
  if (parts === null) return undefined;
  const [, server = '', bucket = '', digit] = parts;
  try {
    return {
      server: decodeURIComponent(server),
      bucket: decodeURIComponent(bucket),
      priority: digit === '0' ? 'event' : 'sensor',
    };
  } catch {
    return undefined; // a percent sign that encodes nothing: damaged
  }
}

function digitOf(priority: Priority): string {
  return priority === 'event' ? '0' : '1';
}

function encode(name: string): string {
  // encodeURIComponent throws for half a surrogate pair; the way through UTF-8 makes it a replacement character.
  return encodeURIComponent(Buffer.from(name).toString());
}

/** As it is, where a percent sign encodes nothing. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function rangeUnder(prefix: string): KeyRange {
  // '0' is the character after '/'.
  return { gte: prefix, lt: `${prefix.slice(0, -1)}0` };
}

/** All alarms of an alarm-state node. */
export function alarmRange(node: string): KeyRange {
  return rangeUnder(`alarm/${encode(node)}/`);
}

export function alarmKey(node: string, alarm: string): string {
  return `alarm/${encode(node)}/${encode(alarm)}`;
}

/** Digits of the nanoseconds since 1970. */
const TIME_DIGITS = 19;

/** All changes that an alarm-state node owes, in the order in which they came about. */
export function owedRange(node: string): KeyRange {
  return rangeUnder(`owed/${encode(node)}/`);
}

/** @param time - of the change, in nanoseconds since 1970 as decimal digits */
export function owedKey(node: string, time: string, alarm: string): string {
  return `owed/${encode(node)}/${time.padStart(TIME_DIGITS, '0')}/${encode(alarm)}`;
}

/** What the keys of an alarm-state node's pages start with; {@link numberedKey} makes the keys. */
export function listenedPrefix(node: string): string {
  return `listened/${encode(node)}/`;
}
