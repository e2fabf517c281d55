import { shorten } from '../shorten';

/** A line that InfluxDB did not take, by its place in the request (from 0), with InfluxDB's own reason. */
export interface RefusedLine {
  index: number;
  reason: string;
}

/** What became of one write request. The same set for every version of InfluxDB. */
export type WriteOutcome =
  /** every line is stored */
  | { kind: 'written' }
  /** some lines are refused, all others are stored; `lines` names all refused ones where the version says which they are */
  | { kind: 'partly-written'; reason: string; lines?: RefusedLine[] }
  /** at least one line is at fault, and nothing or not everything else is stored */
  | { kind: 'refused'; reason: string }
  /** the request has more bytes than the server, or a proxy before it, accepts */
  | { kind: 'too-large'; reason: string }
  /**
   * not now: network, time-out, overload; `retryAfter` in seconds as the server wishes; `brokeOff`: while the request was
   * under way, so that a smaller one may get through; `isAnswer`: somebody has answered so
   */
  | { kind: 'retry'; reason: string; retryAfter?: number; brokeOff?: boolean; isAnswer?: boolean }
  /** an operator must put something right: credentials, database, bucket, certificate, URL */
  | { kind: 'configuration'; reason: string; isAnswer?: boolean };

/** An HTTP answer, whatever its status. */
export interface Answer {
  status: number;
  body: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The answer's body as an object; undefined when it is something else. */
export function jsonOf(answer: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(answer.body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // a proxy's page, or plain text
  }
}

export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const LONGEST_WORDS = 500;

/** What the server says is wrong, in its own words; empty when it says nothing that a person would read. */
export function wordsOf(answer: Answer): string {
  const json = jsonOf(answer);
  const said = json?.['error'] ?? json?.['message'];
  if (typeof said === 'string') return said;
  const text = answer.body.trim();
  if (text.startsWith('<')) return '';
  return text === '' ? (headerOf(answer, 'x-influxdb-error') ?? '') : text.slice(0, LONGEST_WORDS);
}

/** The same, but only what is surely InfluxDB's: the answer of whatever else is at a URL is nobody's business. */
export function influxWordsOf(answer: Answer): string {
  const json = jsonOf(answer);
  const said = json?.['error'] ?? json?.['message'];
  return typeof said === 'string' ? shorten(said, LONGEST_WORDS) : '';
}

/** The server's words with the status, for what is not about single lines. */
export function reasonOfAnswer(answer: Answer): string {
  const words = wordsOf(answer);
  return words === '' ? `the server answers HTTP ${answer.status}` : `${words} (HTTP ${answer.status})`;
}

/** The seconds of a Retry-After header, which are given as a number or as the moment itself (RFC 9110, 10.2.3). */
export function retryAfterOf(answer: Answer, now = Date.now()): number | undefined {
  const value = headerOf(answer, 'retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^[0-9]+$/.test(value)) return Number(value);
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? undefined : Math.max(0, Math.ceil((moment - now) / 1000));
}

const TRANSIENT = new Set([408, 425, 429]);
/** What 3.x says with status 500 up to 3.8 and 400 in 3.9, and what others say who mean 413. */
const TOO_LARGE = /max request size|(?:request|body|entity|payload) (?:is )?too large/i;

/** What an answer means that does not depend on the version; undefined for those that do: 400, 422 and some 500. */
export function commonOutcome(answer: Answer): WriteOutcome | undefined {
  const { status } = answer;
  if (status === 204 || status === 201) return { kind: 'written' };
  if (status === 413 || (status >= 400 && TOO_LARGE.test(wordsOf(answer))))
    return { kind: 'too-large', reason: reasonOfAnswer(answer) };
  if (TRANSIENT.has(status) || status >= 500) {
    const retryAfter = retryAfterOf(answer);
    return {
      kind: 'retry',
      reason: reasonOfAnswer(answer),
      isAnswer: status !== 429,
      ...(retryAfter !== undefined && { retryAfter }),
    };
  }
  if (status === 400 || status === 422) return undefined;
  // Also 200 and redirects: InfluxDB never answers a write so, and a page of a proxy must not pass for stored points.
  return { kind: 'configuration', reason: reasonOfAnswer(answer), isAnswer: true };
}
