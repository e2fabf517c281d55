import { createHmac } from 'node:crypto';

/** A number with its literal as it is to appear in the message, such as `20.0` or 19 digits. */
export class Literal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A float, written as Python does: with a fraction even where it has none. For everyday sizes, 1e-4 to 1e16. */
export function float(value: number): Literal {
  return new Literal(Number.isInteger(value) ? value.toFixed(1) : String(value));
}

export type Value = number | string | boolean | Literal;

function text(value: Value): string {
  if (value instanceof Literal) return value.text;
  // As ensure_ascii does; every character beyond DEL is one UTF-16 unit or a surrogate pair, escaped one by one.
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Python's canonical text of a flat payload, made here without the pack's own code. */
export function canonical(payload: Record<string, Value>): string {
  const members = Object.keys(payload)
    .sort()
    .map((name) => `${text(name)}:${text(payload[name] ?? '')}`);
  return `{${members.join(',')}}`;
}

/** The base64 HMAC-SHA-256 of a text. */
export function hmac(key: Buffer | string, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64');
}

/** Key of one device under a master secret. */
export function deviceKey(master: Buffer | string, device: string): Buffer {
  return createHmac('sha256', master).update(device).digest();
}

/** `ts` and `ts_ns` of a moment in nanoseconds since 1970. */
export function signedTime(nanoseconds: bigint): { ts: number; ts_ns: number } {
  return { ts: Number(nanoseconds / 1_000_000_000n), ts_ns: Number(nanoseconds % 1_000_000_000n) };
}

export function nowNanoseconds(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** A whole signed message. `payload` has its `ts` and `ts_ns` already. */
export function sign(payload: Record<string, Value>, key: Buffer | string): string {
  const signed = canonical(payload);
  return `{"hmac":"${hmac(key, signed)}","payload":${signed}}`;
}
