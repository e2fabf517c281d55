import { LineCounter, type Pair, type Scalar, isMap, isScalar, parseDocument } from 'yaml';
import { keyFromSecret } from '../lib/protocol/key';
import { nestsDeeper } from '../lib/yaml-depth';
import type { SecretEncoding } from './config';

/** Bytes of a file: enough for 200,000 devices. */
export const LARGEST_FILE = 16_777_216;
/** Characters of a file that has to be read as YAML, which takes a second for a megabyte. */
const LONGEST_YAML = 262_144;

/** Levels of lists and maps; there is one. */
const DEEPEST = 8;

/** A line as almost every line is: an id and a secret of plain characters, in which YAML sees nothing but texts. */
const PLAIN_LINE = /^([A-Za-z0-9_/][A-Za-z0-9_./-]*): +([A-Za-z0-9+/_.=][A-Za-z0-9+/_.=-]*)[ \t]*(?: #.*)?$/;
const NO_LINE = /^(?:#.*)?$/;

/**
 * Reads a device-key file: YAML (or JSON) with a line `id: secret` for every device, null for a revoked one. Ids and secrets
 * are taken as they are written: `0012` and `1e5` are texts. Throws an Error that names the line and never quotes it, for
 * it may hold a secret. A file without content is a fault, for that is what a file is while it is being written, and it
 * would give every revoked device its key back: `{}` says that no device has a key of its own.
 */
export function parseDeviceKeyFile(text: string, encoding: SecretEncoding): Map<string, string | null> {
  if (text.length > LARGEST_FILE) throw new Error(`the file has more than ${LARGEST_FILE} characters`);
  const plain = parsePlainLines(text, encoding);
  if (plain) return plain;
  if (text.length > LONGEST_YAML) {
    throw new Error(
      `a file of more than ${LONGEST_YAML} characters must be of lines "id: secret" without quotes, and in some line it is not`,
    );
  }
  return parseYaml(text, encoding);
}

/** Undefined when the file needs a YAML parser, or is empty. */
function parsePlainLines(text: string, encoding: SecretEncoding): Map<string, string | null> | undefined {
  const keys = new Map<string, string | null>();
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number += 1;
    if (NO_LINE.test(line)) continue;
    const [, id, written] = PLAIN_LINE.exec(line) ?? [];
    if (id === undefined || written === undefined) return undefined;
    if (keys.has(id)) throw new Error(`line ${number}: the device is there twice`);
    const secret = NULLS.includes(written) ? null : written;
    if (secret !== null) check(secret, encoding, number);
    keys.set(id, secret);
  }
  return keys.size > 0 ? keys : undefined;
}

function parseYaml(text: string, encoding: SecretEncoding): Map<string, string | null> {
  if (nestsDeeper(text, DEEPEST)) throw new Error('it is nested too deep: a map of device ids to secrets is expected');
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
  if (document.contents === null) throw new Error('it is empty: {} says that no device has a key of its own');
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

/** How YAML writes that there is no value. */
const NULLS = ['', '~', 'null', 'Null', 'NULL'];

/** In quotes, `"null"` is a secret like any other. */
function isNull(scalar: Scalar<string>): boolean {
  return scalar.type === 'PLAIN' && NULLS.includes(scalar.value);
}

function check(secret: string, encoding: SecretEncoding, line: number): void {
  try {
    keyFromSecret(secret, encoding);
  } catch (error) {
    throw new Error(`line ${line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
