import { shorten } from '../shorten';

/** Characters of a path that are shown: whoever sends a message names its members. */
const PATH_SHOWN = 200;

/** Faults that are told of one document: a person mends them one by one. */
export const MOST_FAULTS = 100;

/** What is wrong, and where: in a registry document or in a payload. */
export interface Fault {
  /** JSON pointer (RFC 6901) to the place; empty for the whole text. */
  path: string;
  /** What must change, in words that follow the path, such as `must be <= 85`. */
  reason: string;
  /** Line of the document, from 1, where it is known. */
  line?: number;
}

/** Reports a fault below the place at hand. */
export type Complain = (segments: readonly (string | number)[], reason: string) => void;

/** A JSON pointer to a member below others. */
export function pointer(...segments: readonly (string | number)[]): string {
  return segments.map((segment) => `/${escapeSegment(String(segment))}`).join('');
}

/** The segments of a JSON pointer. */
export function segmentsOf(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A fault in one line, for logs and rejections: `/temperature must be <= 85`. */
export function describeFault(fault: Fault): string {
  if (fault.path === '') return fault.reason;
  const path = shorten(fault.path, PATH_SHOWN);
  return fault.line === undefined ? `${path} ${fault.reason}` : `${path} ${fault.reason} (line ${fault.line})`;
}

/** Several faults in one line; at most three of them in words. */
export function describeFaults(faults: readonly Fault[]): string {
  const shown = faults.slice(0, 3).map(describeFault).join('; ');
  return faults.length > 3 ? `${shown}; and ${faults.length - 3} more` : shown;
}

function escapeSegment(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}
