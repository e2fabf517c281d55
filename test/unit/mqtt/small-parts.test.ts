import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ownClientId } from '../../../nodes/lib/mqtt/client-id';
import { connectionWords } from '../../../nodes/lib/mqtt/connection-words';
import { Culprits } from '../../../nodes/lib/mqtt/culprit';
import { LARGEST_PACKET_ID, PacketIds } from '../../../nodes/lib/mqtt/packet-ids';
import { refusalOf } from '../../../nodes/lib/mqtt/refusal';
import { isUnheard } from '../../../nodes/lib/mqtt/session-proof';
import { TakeoverDetector } from '../../../nodes/lib/mqtt/takeover';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';

describe('packet ids', () => {
  test('are never those of the store, nor given twice, and go round', () => {
    const taken = new Set([1, 2, 3, 70]);
    const ids = new PacketIds((id) => taken.has(id));
    const given = Array.from({ length: LARGEST_PACKET_ID - taken.size }, () => ids.allocate());
    expect(new Set(given).size).toBe(given.length);
    expect(given.every((id) => id !== null && !taken.has(id) && id >= 1 && id <= LARGEST_PACKET_ID)).toBe(true);
    expect(ids.allocate()).toBeNull();
    ids.deallocate(5);
    expect(ids.allocate()).toBe(5);
    expect(ids.getLastAllocated()).toBe(5);
    // A new connection forgets what this one gave; the store does not.
    ids.clear();
    expect(taken.has(ids.allocate() ?? 1)).toBe(false);
  });
});

describe('the takeover detector', () => {
  const close = (detector: TakeoverDetector, at: number, lasted = 1000): boolean => {
    detector.connected(at - lasted);
    return detector.closed(at);
  };

  test('sees connections that end soon, again and again', () => {
    const detector = new TakeoverDetector();
    expect([10, 12, 14, 16].map((second) => close(detector, second * 1000))).toEqual([false, false, false, true]);
    detector.startAgain();
    expect(close(detector, 100_000)).toBe(true);
  });

  test('is not misled by long connections, rare ends, or ends with a cause', () => {
    const long = new TakeoverDetector();
    expect([1, 2, 3, 4, 5].some((minute) => close(long, minute * 1000, 11_000))).toBe(false);
    const rare = new TakeoverDetector();
    expect([1, 2, 3, 4, 5].some((minute) => close(rare, minute * 30_000))).toBe(false);
    const failing = new TakeoverDetector();
    const ends = [1, 2, 3, 4, 5].map((second) => {
      failing.connected(second * 1000);
      failing.error();
      return failing.closed(second * 1000 + 500);
    });
    expect(ends).toEqual([false, false, false, false, false]);
  });

  test('believes a broker that says so', () => {
    expect(new TakeoverDetector().disconnected(142)).toBe(true);
    expect(new TakeoverDetector().disconnected(139)).toBe(false);
  });
});

describe('what makes the broker close the connection', () => {
  const end = (culprits: Culprits, what: string | number, lasted: number): string | number | undefined => {
    culprits.sent(what, 0);
    return culprits.ended(lasted, false);
  };

  test('is the same thing three times in a row, right after it was sent', () => {
    const culprits = new Culprits();
    expect([end(culprits, 5, 10), end(culprits, 5, 900), culprits.ended(20, false), end(culprits, 5, 10)]).toEqual([
      undefined,
      undefined,
      undefined,
      5,
    ]);
    // It starts anew.
    expect(end(culprits, 5, 10)).toBeUndefined();
  });

  test('is what is never answered, however long that is waited for', () => {
    const culprits = new Culprits();
    const ends = [1, 2, 3].map(() => {
      culprits.sent('proof', 0);
      return culprits.ended(30_000, true);
    });
    expect(ends).toEqual([undefined, undefined, 'proof']);
  });

  test('is nothing that was answered, nor what was under way when a link broke by chance', () => {
    const culprits = new Culprits();
    const chance = [1, 2, 1, 2, 1, 1].map((what) => end(culprits, what, 10));
    culprits.sent(1, 0);
    culprits.answered(1);
    const answered = culprits.ended(10, false);
    const slow = [1, 1].map((what) => end(culprits, what, 10));
    expect([...chance, answered, ...slow, end(culprits, 1, 5000), end(culprits, 1, 10)]).toEqual(
      Array(11).fill(undefined),
    );
  });
});

describe('an attempt to connect', () => {
  const fault = (syscall: string): Error => Object.assign(new Error('no'), { syscall });

  test('is unheard of where there was no connection', () => {
    expect(isUnheard(fault('connect'))).toBe(true);
    expect(isUnheard(fault('getaddrinfo'))).toBe(true);
    expect(isUnheard(new AggregateError([fault('connect'), fault('connect')]))).toBe(true);
    expect(isUnheard(fault('read'))).toBe(false);
    expect(isUnheard(new Error('connack timeout'))).toBe(false);
  });
});

describe('the client id', () => {
  test('is the same for the same installation and broker, and fits every broker', async () => {
    const directory = tempDirectory('client-id');
    const store = await Store.open(directory);
    const [first, other] = await Promise.all([ownClientId(store, 'broker'), ownClientId(store, 'another')]);
    await store.close();
    const again = await Store.open(directory);
    expect([await ownClientId(again, 'broker'), await ownClientId(again, 'another')]).toEqual([first, other]);
    await again.close();
    const elsewhere = await Store.open(tempDirectory('client-id'));
    expect(await ownClientId(elsewhere, 'broker')).not.toBe(first);
    await elsewhere.close();
    expect(first).toMatch(/^[0-9a-zA-Z]{23}$/);
    expect(other).not.toBe(first);
  });

  test('is another one in a copy of the store, whose sessions are those of the original', async () => {
    const directory = tempDirectory('client-id');
    const store = await Store.open(directory);
    const original = await ownClientId(store, 'broker');
    await store.close();
    const copy = tempDirectory('client-id');
    cpSync(directory, copy, { recursive: true });
    const copied = await Store.open(copy);
    const own = await ownClientId(copied, 'broker');
    await copied.close();
    expect(own).not.toBe(original);
    const again = await Store.open(copy);
    expect(await ownClientId(again, 'broker')).toBe(own);
    await again.close();
  });
});

describe('what an operator is told', () => {
  const fault = (code: string | number, message = 'its own words'): Error =>
    Object.assign(new Error(message), { code });

  test.each([
    ['ECONNREFUSED', /Nothing listens there.*its own words/],
    ['ENOTFOUND', /host name of the broker is not known/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /not trusted/],
    ['CERT_NOT_YET_VALID', /check the clocks/],
    ['ERR_SSL_BAD', /No secure connection/],
    ['EOTHER', /^its own words$/],
  ])('of %s', (code, words) => {
    expect(connectionWords(fault(code), true)).toMatch(words);
  });

  test('of a connection that ends before, and after it was accepted', () => {
    expect(connectionWords(fault('ECONNRESET'), false)).toMatch(/whether TLS is to be used/);
    expect(connectionWords(fault('ECONNRESET'), true)).toMatch(/broke the connection off/);
  });

  test('of an error that MQTT.js explains', () => {
    expect(connectionWords(fault(135, 'Connection refused: Not authorized'), true)).toBe(
      'Connection refused: Not authorized',
    );
  });

  test('of several addresses that all fail', () => {
    const all = Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1')], ''), {
      code: 'ECONNREFUSED',
    });
    expect(connectionWords(all, false)).toMatch(/Nothing listens there.*::1/);
  });

  test('of a refusal, and whether it passes', () => {
    expect(refusalOf(0x87)).toEqual({ reason: 'the broker refused it: Not authorized', isPassing: false });
    expect(refusalOf(0x91)).toMatchObject({ isPassing: false });
    expect(refusalOf(0x97)).toEqual({ reason: 'the broker refused it: Quota exceeded', isPassing: true });
    expect(refusalOf(0xff).reason).toMatch(/reason code 255/);
  });
});
