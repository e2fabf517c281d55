import { PackError } from '../errors';

/** The longest name that any version holds; 3.x takes 64 characters, and says so itself. */
const LONGEST = 255;
/** Valid names are few, and come again with each point. */
const REMEMBERED = 1000;
const valid = new Set<string>();

/**
 * Why no version of InfluxDB can have a bucket of this name; undefined when one can. Continues a sentence: `is empty`.
 * What the chosen version and its server make of a name that is possible, a write will tell.
 */
export function bucketFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.length > LONGEST || Buffer.byteLength(name) > LONGEST) return `is longer than ${LONGEST} bytes`;
  if (name.startsWith('_')) return 'starts with _, as names of InfluxDB itself do';
  if (name === '.' || name === '..') return 'is the name of a folder';
  if (/[/\\"]/.test(name)) return 'has a slash, a backslash or a quote';
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'has a control character';
  if (name.trim() !== name) return 'starts or ends with a space';
  if (/[\ud800-\udfff]/u.test(name)) return 'is not valid Unicode';
  return undefined;
}

/** @throws PackError `invalid-point`: a point for such a bucket would wait for ever */
export function checkBucket(name: string): void {
  if (valid.has(name)) return;
  const fault = bucketFault(name);
  if (fault !== undefined) {
    const shown = typeof name === 'string' ? ` "${name.slice(0, 50)}"` : '';
    throw new PackError('invalid-point', `InfluxDB cannot have a bucket of this name:${shown} ${fault}`);
  }
  if (valid.size >= REMEMBERED) valid.clear();
  valid.add(name);
}
