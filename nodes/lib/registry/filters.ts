/** One level of a topic filter, the most specific sort first. */
export type FilterLevel =
  { sort: 'literal'; text: string } | { sort: 'capture'; name: string } | { sort: 'any' } | { sort: 'rest' };

/** A topic filter of the registry: MQTT 5 section 4.7, and `{name}` for a level that must not be empty. */
export interface TopicFilter {
  text: string;
  levels: readonly FilterLevel[];
  /** Which level each capture stands for. */
  captures: ReadonlyMap<string, number>;
  /** Whether the filter is a topic itself: no capture, no wildcard. */
  exact: boolean;
  /** Equal for filters that match the same topics with the same precedence. */
  shape: string;
}

/** MQTT 5 section 1.5.4: a UTF-8 string has a length of 16 bits. */
const MAXIMUM_BYTES = 65_535;
/** Bounds what matching one topic can cost. */
export const MAXIMUM_LEVELS = 128;

/** Reads a topic filter; a string is the reason why it is none. */
export function parseFilter(text: string): TopicFilter | string {
  if (text === '') return 'must not be empty';
  if (Buffer.byteLength(text) > MAXIMUM_BYTES) return `is longer than ${MAXIMUM_BYTES} bytes`;
  if (text.includes('\0')) return 'must not hold the character U+0000';
  if (text.startsWith('$share/')) return '"$share/…" is a way to subscribe, not a topic';
  const parts = text.split('/');
  if (parts.length > MAXIMUM_LEVELS) return `has more than ${MAXIMUM_LEVELS} levels`;
  const levels: FilterLevel[] = [];
  const captures = new Map<string, number>();
  for (const [index, part] of parts.entries()) {
    const level = parseLevel(part, index === parts.length - 1);
    if (typeof level === 'string') return level;
    if (level.sort === 'capture') {
      if (captures.has(level.name)) return `captures {${level.name}} twice`;
      captures.set(level.name, index);
    }
    levels.push(level);
  }
  return { text, levels, captures, exact: levels.every(({ sort }) => sort === 'literal'), shape: shapeOf(levels) };
}

function parseLevel(part: string, last: boolean): FilterLevel | string {
  const name = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(part)?.[1];
  if (name !== undefined) return { sort: 'capture', name };
  if (part === '+') return { sort: 'any' };
  if (part === '#') return last ? { sort: 'rest' } : '"#" must be the last level';
  if (/[#+]/.test(part)) return '"+" and "#" must stand for a whole level';
  if (/[{}]/.test(part)) return 'a capture is a whole level, {name}: a letter or "_", then letters, digits and "_"';
  return { sort: 'literal', text: part };
}

function shapeOf(levels: readonly FilterLevel[]): string {
  const marks = { capture: '{}', any: '+', rest: '#' };
  return levels.map((level) => (level.sort === 'literal' ? level.text : marks[level.sort])).join('/');
}
