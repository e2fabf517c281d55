import { LineCounter, type Pair, type Scalar, isMap, isScalar, parseDocument } from 'yaml';
import { keyFromSecret } from '../lib/protocol/key';
import type { SecretEncoding } from './config';

/**
 * Reads a device-key file: YAML (or JSON) with a line `id: secret` for every device, null for a revoked one. Ids and secrets
 * are taken as they are written: `0012` and `1e5` are texts. Throws an Error that names the line and never quotes it, for
 * it may hold a secret.
 */
export function parseDeviceKeyFile(text: string, encoding: SecretEncoding): Map<string, string | null> {
  const lines = new LineCounter();
  // The parser's own check for names that come twice compares every pair of them: the map below does it in one go.
  const document = parseDocument(text, {
    schema: 'failsafe',
    prettyErrors: false,
    uniqueKeys: false,
    lineCounter: lines,
  });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const [fault] = document.errors;
  // Only the code: the parser's message may quote what it found.
  if (fault) throw new Error(`line ${lineOf(fault.pos[0])}: not valid YAML (${fault.code})`);
  const keys = new Map<string, string | null>();
  if (document.contents === null) return keys;
  if (!isMap(document.contents)) throw new Error('line 1: a map of device ids to secrets is expected');
  for (const pair of document.contents.items) {
    const { key, value } = pair as Pair;
    if (!isText(key)) throw new Error('a device id is not a plain text');
    const line = lineOf(key.range?.[0] ?? 0);
    if (key.value === '') throw new Error(`line ${line}: the device id is empty`);
    if (keys.has(key.value)) throw new Error(`line ${line}: the device is there twice`);
    if (value !== null && !isText(value)) throw new Error(`line ${line}: the secret is not a plain text`);
    const secret = value === null || isNull(value) ? null : value.value;
    if (secret !== null) check(secret, encoding, line);
    keys.set(key.value, secret);
  }
  return keys;
}

function isText(node: unknown): node is Scalar<string> {
  return isScalar(node) && typeof node.value === 'string' && node.tag === undefined;
}

/** In quotes, `"null"` is a secret like any other. */
function isNull(scalar: Scalar<string>): boolean {
  return scalar.type === 'PLAIN' && ['', '~', 'null', 'Null', 'NULL'].includes(scalar.value);
}

function check(secret: string, encoding: SecretEncoding, line: number): void {
  try {
    keyFromSecret(secret, encoding);
  } catch (error) {
    throw new Error(`line ${line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
