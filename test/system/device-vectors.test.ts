import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { canonicalText } from '../../nodes/lib/protocol/canonical';
import { hmacOf } from '../../nodes/lib/protocol/digest';
import { judge, type Judgement } from '../../nodes/lib/protocol/judge';
import { messageKey } from '../../nodes/lib/protocol/key';
import { scanMessage } from '../../nodes/lib/protocol/scan';
import { rounds, seed, seededRandom } from '../support/campaign';
import {
  keysRead,
  received,
  signed,
  verdicts,
  type Case,
  type OrderStep,
  type Program,
} from '../support/devices/answers';
import { compileC } from '../support/devices/arduino';
import { packageRoot } from '../support/node-red';
import { run } from '../support/processes';

interface Vector {
  name: string;
  key: string;
  message: string;
  ours: Judgement['verdict'];
}

const python = process.env['TEST_PYTHON'] ?? 'python3';
/** Of 500 random messages each. */
const BATCHES = rounds(1, 40);
const DAMAGED = rounds(1000, 50_000);

const folder = join(packageRoot, 'test/support/devices');
const oracle = join(packageRoot, 'test/vectors/oracle.py');
const vectors = (
  JSON.parse(readFileSync(join(packageRoot, 'test/vectors/vectors.json'), 'utf8')) as { cases: Vector[] }
).cases;

interface OrderVector {
  name: string;
  steps: (OrderStep & { code: string; answer: { id: string; ok?: false } | null })[];
}

const order = JSON.parse(readFileSync(join(packageRoot, 'test/vectors/order.json'), 'utf8')) as {
  key: string;
  scenarios: OrderVector[];
};

/** What an answer says, if it is signed with the key. */
function said(answer: string | undefined): { id: unknown; ok?: unknown } | null {
  if (answer === undefined) return null;
  expect(judge(Buffer.from(order.key, 'base64'), answer).verdict).toBe('verified');
  const { payload } = JSON.parse(answer) as { payload: Record<string, unknown> };
  expect(typeof payload['reason']).toBe(payload['ok'] === false ? 'string' : 'undefined');
  return { id: payload['id'], ...(Object.hasOwn(payload, 'ok') && { ok: payload['ok'] }) };
}

/** What the pack itself says, with the canonical text of verified payloads only. */
function expected({ key, message }: Case): Judgement {
  const judgement = judge(Buffer.from(key, 'base64'), message.toString());
  return judgement.verdict.startsWith('verified') ? judgement : { verdict: judgement.verdict };
}

/** A message with a few of its characters changed, left out or doubled. */
function damaged(message: string, random: () => number): string {
  const integer = (below: number): number => Math.floor(random() * below);
  let text = message;
  for (let change = integer(3); change >= 0; change--) {
    const at = integer(text.length);
    const character = String.fromCharCode(32 + integer(95));
    const instead = ['', character, text.charAt(at) + character][integer(3)] ?? '';
    text = text.slice(0, at) + instead + text.slice(at + 1);
  }
  return text;
}

const programs: Record<string, () => Promise<Program>> = {
  Python: () =>
    Promise.resolve({
      command: python,
      args: [join(folder, 'vectors.py')],
      env: { PYTHONPATH: join(packageRoot, 'examples/devices/python') },
    }),
  MicroPython: () =>
    Promise.resolve({ command: process.execPath, args: [join(folder, 'micropython/run.mjs'), 'vectors'] }),
  C: async () => ({ command: await compileC('vectors.c', '-DIOT_MAXIMUM_MESSAGE=65536'), args: [] }),
};

describe.each(Object.keys(programs))('device code in %s', (language) => {
  let program: Program;
  beforeAll(async () => {
    program = (await programs[language]?.()) ?? { command: '', args: [] };
  });

  test('gives each shared vector its verdict', async () => {
    const given = await verdicts(program, vectors);
    expect(given.map(({ verdict }, index) => `${vectors[index]?.name ?? ''}: ${verdict}`)).toEqual(
      vectors.map(({ name, ours }) => `${name}: ${ours}`),
    );
    expect(given).toEqual(vectors.map(expected));
  });

  test.each(order.scenarios)('keeps the order of actions: $name', async ({ steps }) => {
    const given = await received(program, order.key, steps);
    expect(given.map(({ code, answer }) => ({ code, answer: said(answer) }))).toEqual(
      steps.map(({ code, answer }) => ({ code, answer })),
    );
  });

  test('signs the payload of each shared vector as the reference does', async () => {
    const cases = vectors
      .filter(({ ours }) => ours.startsWith('verified') || ours === 'bad signature')
      .map(({ key, message }) => ({ key, payload: scanMessage(message).text }));
    const messages = cases.map(({ key, payload }) => {
      const text = canonicalText(payload);
      return `{"hmac":"${hmacOf(text, messageKey(Buffer.from(key, 'base64')))}","payload":${text}}`;
    });
    expect(cases.length).toBeGreaterThan(300);
    expect(await signed(program, cases)).toEqual(messages);
  });

  test('agrees with the reference on random messages', async () => {
    const cases: (Case & { canonical: string; ok: boolean })[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const fuzz = await run(python, [oracle, 'fuzz', String(1000 * seed + batch), '500']);
      cases.push(
        ...fuzz
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as (typeof cases)[number]),
      );
    }
    const given = await verdicts(program, cases);
    const verified = cases.map(({ ok, canonical }) => (ok ? canonical : 'bad signature'));
    expect(given.map(({ verdict, canonical }) => canonical ?? verdict)).toEqual(verified);
  });

  test('agrees with the pack on damaged messages', async () => {
    const random = seededRandom();
    const cases = Array.from({ length: DAMAGED }, () => {
      const { key, message } = vectors[Math.floor(random() * vectors.length)] ?? { key: '', message: '' };
      // As bytes: half a surrogate pair that a change leaves behind becomes what UTF-8 makes of it.
      return { key, message: Buffer.from(damaged(message, random)) };
    });
    const given = await verdicts(program, cases);
    const different = cases.filter((one, index) => JSON.stringify(given[index]) !== JSON.stringify(expected(one)));
    expect(different).toEqual([]);
  });

  test('signs a payload without the white space around it', async () => {
    const key = Buffer.alloc(32, 'k').toString('base64');
    // Longer than what C reads as a number: there the payload is signed as it is.
    const payload = `{"a":1${'0'.repeat(70)}.5,"ts":1,"ts_ns":0}`;
    const [message = ''] = await signed(program, [{ key, payload: ` \t${payload}\r\n` }]);
    const [given] = await verdicts(program, [{ key, message }]);
    expect(given?.verdict).toBe(language === 'C' ? 'verified as sent' : 'verified');
    expect(judge(Buffer.from(key, 'base64'), message).verdict).toBe(given?.verdict);
  });

  test('neither signs nor verifies with an empty key', async () => {
    const payload = '{"ts":1,"ts_ns":0}';
    const hmac = createHmac('sha256', '').update(payload).digest('base64');
    const [given] = await verdicts(program, [{ key: '', message: `{"hmac":"${hmac}","payload":${payload}}` }]);
    expect(given?.verdict).not.toMatch(/^verified/);
    expect(await signed(program, [{ key: '', payload }])).toEqual(['']);
  });

  test('reads the key of a device, and nothing that was mistyped', async () => {
    const good = [16, 32, 64].map((bytes) => Buffer.alloc(bytes, 'k').toString('base64'));
    const key = good[1] ?? '';
    const mistyped = [
      ...['', '…', 'the key of this device', 'AAAA', Buffer.alloc(15).toString('base64')],
      ...[
        `${key}\n`,
        ` ${key}`,
        key.slice(0, -1),
        `${key}=`,
        key.slice(1),
        key.replace('a', '-'),
        key.replace('a', '…'),
      ],
    ];
    expect(await keysRead(program, good)).toEqual(good);
    expect(await keysRead(program, mistyped)).toEqual(mistyped.map(() => ''));
  });

  test('refuses what is not UTF-8', async () => {
    const key = Buffer.from('key').toString('base64');
    const bad = ['ff', 'c080', 'e08080', 'eda080', 'f08080a0', 'f4908080', 'c3', '80', 'e282'];
    const cases = bad.map((bytes) => ({
      key,
      message: Buffer.concat([Buffer.from('{"hmac":"'), Buffer.from(bytes, 'hex'), Buffer.from('","payload":{}}')]),
    }));
    expect((await verdicts(program, cases)).map(({ verdict }) => verdict)).toEqual(bad.map(() => 'malformed'));
  });
});
