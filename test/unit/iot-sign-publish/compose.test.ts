import { describe, expect, test } from 'vitest';
import { Verifier } from '../../../nodes/hmac-verify/verify';
import { Keyring } from '../../../nodes/iot-keyring/keyring';
import { answerFilters, answerOf } from '../../../nodes/iot-sign-publish/answer-topics';
import { compose, type NotSigned, type SignedMessage } from '../../../nodes/iot-sign-publish/compose';
import { AnswerJudge } from '../../../nodes/iot-sign-publish/judge';
import { actionMessage } from '../../../nodes/iot-sign-publish/messages';
import { stepPoint } from '../../../nodes/iot-sign-publish/step-point';
import { loadRegistry } from '../../../nodes/lib/registry/load';
import type { Registry } from '../../../nodes/lib/registry/registry';
import { actionRegistry } from '../../support/action-registry';
import { deviceKey, sign } from '../../support/messages';

const MASTER = 'a master secret';
const VALVE = 'actions/hall/d1/valve';
const TIME = '1800000000123456789';
const NOW = 1_800_000_000_123;

const loaded = loadRegistry(actionRegistry);
if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
const registry: Registry = loaded.registry;
const keyring = new Keyring({
  mode: 'master',
  encoding: 'text',
  secret: MASTER,
  deviceKeys: new Map([['hall/gone', null]]),
});

function composed(topic: unknown, payload: unknown): SignedMessage | NotSigned {
  return compose(topic, payload, { registry, keyring, expires: 60, newId: () => 'the-id', time: TIME, now: NOW });
}

function signed(topic: string, payload: unknown): SignedMessage {
  const message = composed(topic, payload);
  if (!message.ok) throw new Error(message.reason);
  return message;
}

describe('a message that is signed', () => {
  test('is completed, in canonical text, under the key of the device', () => {
    const { message, payload, kind, device, expires, answer } = signed(VALVE, { position: 20.5 });
    expect(message).toBe(
      sign(
        { position: 20.5, id: 'the-id', expires: 1_800_000_060, ts: 1_800_000_000, ts_ns: 123_456_789 },
        deviceKey(MASTER, 'hall/d1'),
      ),
    );
    expect(payload).toEqual(JSON.parse(message.slice(message.indexOf('"payload":') + 10, -1)));
    expect({ kind, device, expires }).toEqual({ kind: 'action', device: 'hall/d1', expires: 1_800_000_060_000 });
    expect(answer).toEqual({ topic: `${VALVE}/ack`, within: 1000 });
    const verifier = new Verifier({ registry: () => registry, keyring, maxBytes: 1000, now: () => NOW });
    expect(verifier.verify(message, VALVE)).toMatchObject({ ok: true, verified: { device: 'hall/d1' } });
  });

  test('gets an id and times of its own when it is sent once more', () => {
    const again = { position: 1, id: 'old', expires: 1, ts: 1, ts_ns: 1 };
    expect(signed(VALVE, again).payload).toMatchObject({ id: 'the-id', expires: 1_800_000_060, ts: 1_800_000_000 });
  });

  test.each([
    ['sensors/hall/d1/climate', { temperature: 1 }],
    ['alarms/hall/d1/smoke', { active: true }],
  ])('keeps the time that it comes with on %s, if its receivers accept it', (topic, payload) => {
    const at = (ts: unknown, nanoseconds?: unknown): SignedMessage | NotSigned =>
      composed(topic, { ...payload, ts, ...(nanoseconds !== undefined && { ts_ns: nanoseconds }) });
    const hourAgo = 1_800_000_000 - 3000;
    expect(at(hourAgo, 5)).toMatchObject({
      ok: true,
      payload: { ts: hourAgo, ts_ns: 5 },
      point: { time: `${hourAgo}000000005` },
    });
    expect(at(hourAgo)).toMatchObject({ ok: true, payload: { ts: hourAgo, ts_ns: 0 } });
    expect(composed(topic, JSON.stringify({ ...payload, ts: hourAgo, ts_ns: 5 }))).toMatchObject({
      payload: { ts: hourAgo, ts_ns: 5 },
    });
    expect(composed(topic, payload)).toMatchObject({ payload: { ts: 1_800_000_000, ts_ns: 123_456_789 } });
    for (const [ts, nanoseconds] of [
      [1_800_000_061, 0],
      [1_800_000_000_000, 0],
      [hourAgo - 8 * 86_400, 0],
      [hourAgo + 0.5, 0],
      ['1800000000', 0],
      [-1, 0],
      [null, 0],
      [hourAgo, 1_000_000_000],
      [hourAgo, -1],
      [undefined, 0],
    ]) {
      const message = at(ts, nanoseconds);
      expect(message, String(ts)).toMatchObject({ ok: false, code: 'invalid-payload' });
      expect(message.ok ? '' : message.reason).toMatch(/^\/ts/);
    }
  });

  test('is an alarm of the time it says: it is sent as long as that would be accepted', () => {
    const ts = 1_800_000_000 - 3000;
    expect(signed('alarms/hall/d1/smoke', { active: true, ts }).expires).toBe((ts + 3600) * 1000);
  });

  test('keeps all digits of an integer that came as text', () => {
    const { message, point } = signed('sensors/hall/d1/climate', '{"temperature": 1.50, "count": 9223372036854775807}');
    expect(message).toContain('"count":9223372036854775807,"temperature":1.5,');
    expect(point.fields['count']).toEqual({ type: 'integer', value: '9223372036854775807' });
  });

  test('has neither id nor end unless it is an action; an alarm is sent as long as it would be accepted', () => {
    const alarm = signed('alarms/hall/d1/smoke', { active: true });
    expect(Object.keys(alarm.payload).sort()).toEqual(['active', 'ts', 'ts_ns']);
    expect(alarm.expires).toBe(1_800_000_000_000 + 3_600_000);
    expect(alarm.answer).toBeUndefined();
  });

  test.each<[code: string, topic: unknown, payload: unknown]>([
    ['unregistered', undefined, {}],
    ['unregistered', 'elsewhere', {}],
    ['unregistered', `${VALVE}/ack`, { id: 'x' }],
    ['unregistered', 'actions/+/d1/valve', { position: 1 }],
    ['unregistered', 'actions/hall/d1\r/valve', { position: 1 }],
    ['unregistered', 'actions/hall/d\u0085/valve', { position: 1 }],
    ['unregistered', 'actions/hall/\ud800/valve', { position: 1 }],
    ['unregistered', 'actions/hall/\uffff/valve', { position: 1 }],
    ['unregistered', `actions/hall/${'é'.repeat(32_760)}/valve`, { position: 1 }],
    ['unregistered', 'actions/hall/d1\\/valve', { position: 1 }],
    ['invalid-payload', VALVE, { position: 'open' }],
    ['invalid-payload', VALVE, {}],
    ['invalid-payload', VALVE, { position: 1, speed: 1 }],
    ['invalid-payload', VALVE, '{"position": 1, "position": 2}'],
    ['invalid-payload', VALVE, '[1]'],
    ['invalid-payload', VALVE, 1],
    ['invalid-payload', VALVE, null],
    ['invalid-payload', VALVE, [1]],
    ['invalid-payload', VALVE, { position: NaN }],
    ['no-key', 'actions/hall/gone/valve', { position: 1 }],
  ])('%s: %s %j is not signed', (code, topic, payload) => {
    const message = composed(topic, payload);
    expect(message).toMatchObject({ ok: false, code });
    expect(message.ok ? '' : message.reason).not.toBe('');
    expect(JSON.stringify(message)).not.toContain(MASTER);
  });
});

describe('answers', () => {
  test('come on the topics that the registry names', () => {
    expect(answerFilters(registry)).toEqual(['actions/+/+/valve/ack', 'actions/+/+/slider/ack']);
    const entry = registry.match(VALVE)?.entry;
    expect(entry && answerOf(entry, 'actions/a b/c/valve')).toEqual({ topic: 'actions/a b/c/valve/ack', within: 1000 });
    const silent = registry.match('actions/hall/d1/relay')?.entry;
    expect(silent && answerOf(silent, 'actions/hall/d1/relay')).toBeUndefined();
  });

  test('are judged under the key of the device that the topic names', () => {
    const judge = new AnswerJudge({ registry: () => registry, keyring, now: () => NOW });
    const payload = { id: 'the-id', ts: 1_800_000_000, ts_ns: 0 };
    const bytes = Buffer.from(sign(payload, deviceKey(MASTER, 'hall/d1')));
    const judged = (topic: string, isRetained = false) => judge.judge({ topic, bytes, isRetained });
    expect(judged(`${VALVE}/ack`)).toEqual({ ok: true, payload });
    expect(judged('actions/hall/d2/valve/ack')).toMatchObject({ ok: false, code: 'bad-signature' });
    expect(judged('actions/hall/gone/valve/ack')).toMatchObject({ ok: false, code: 'no-key' });
    expect(judged(VALVE)).toMatchObject({ ok: false, code: 'unregistered' });
    expect(judged(`${VALVE}/ack`, true)).toMatchObject({ ok: false, code: 'retained' });
  });

  test('are not the action itself, sent back by somebody who can read it', () => {
    const judge = new AnswerJudge({ registry: () => registry, keyring, now: () => NOW });
    const bytes = Buffer.from(signed(VALVE, { position: 1 }).message);
    const verdict = judge.judge({ topic: `${VALVE}/ack`, bytes, isRetained: false });
    expect(verdict).toMatchObject({ ok: false, code: 'not-an-answer' });
  });
});

test('a step is logged as the row of its action, with the step as a tag and its own time', () => {
  const { point, topic, message } = signed(VALVE, { position: 1 });
  const steps = [{ step: 'failed', time: '1' }] as const;
  const failure = { code: 'expired', reason: 'late' } as const;
  const record = {
    id: 'the-id',
    kind: 'action',
    node: 'n',
    origin: 'm',
    topic,
    message,
    created: 0,
    expires: 1,
  } as const;
  expect(stepPoint({ ...record, steps: [...steps], failure, point }, steps[0])).toEqual({
    bucket: 'events',
    measurement: 'actions',
    tags: { site: 'hall', device: 'd1', action: 'valve', step: 'failed' },
    fields: {
      position: { type: 'float', value: 1 },
      id: { type: 'string', value: 'the-id' },
      code: { type: 'string', value: 'expired' },
      reason: { type: 'string', value: 'late' },
    },
    time: '1',
  });
  // A field of its own is left alone.
  const reason = { type: 'float', value: 5 } as const;
  const own = { ...point, fields: { ...point.fields, reason } };
  expect(stepPoint({ ...record, steps: [...steps], failure, point: own }, steps[0])?.fields['reason']).toEqual(reason);
  expect(stepPoint({ ...record, steps: [] }, steps[0])).toBeUndefined();
  expect(
    actionMessage({ ...record, steps: [{ step: 'created', time: '5000000' }], device: 'hall/d1' }, 'created'),
  ).toEqual({
    _msgid: 'm',
    topic,
    payload: { position: 1, id: 'the-id', expires: 1_800_000_060, ts: 1_800_000_000, ts_ns: 123_456_789 },
    kind: 'action',
    action: { id: 'the-id', topic, device: 'hall/d1', state: 'created', created: 0, expires: 1, steps: { created: 5 } },
  });
});
