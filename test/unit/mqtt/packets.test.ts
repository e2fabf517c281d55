import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { IPublishPacket } from 'mqtt';
import { Packets, type PacketChange } from '../../../nodes/lib/mqtt/packets';
import { Store, type StoreOperation } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';

type StoredPacket = Parameters<Packets['put']>[0];

let store: Store;
let changes: string[];
let stored: string[];
let failures: unknown[];
/** Messages that have come to their end. */
let ended: Set<string>;

const owner = {
  changing(message: string, change: PacketChange): StoreOperation[] {
    changes.push(`${message} ${change.kind}`);
    return [{ type: 'put', key: `test/${message}`, value: Buffer.from(change.kind) }];
  },
  changed(message: string, change: PacketChange): void {
    stored.push(`${message} ${change.kind}`);
  },
  isWanted: (message: string) => !ended.has(message),
};

beforeEach(async () => {
  store = await Store.open(tempDirectory('packets'), { retryMilliseconds: 20 });
  [changes, stored, failures, ended] = [[], [], [], new Set()];
});

afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
});

function load(): Promise<Packets> {
  return Packets.load(store, 'broker', owner, (error) => failures.push(error));
}

/** Publishes as MQTT.js does: the packet is put within the call. Resolves when it may go out. */
function publish(packets: Packets, id: number, message: string, qos: 1 | 2 = 2, expiresIn?: number): Promise<void> {
  return new Promise((resolve) => {
    const client = {
      publish: (topic: string, payload: string) => {
        const packet: IPublishPacket = {
          cmd: 'publish',
          messageId: id,
          topic,
          payload,
          qos,
          dup: false,
          retain: false,
        };
        packets.put(packet, () => resolve());
      },
    };
    const isTaken = packets.publish(
      client as never,
      message,
      `topic/${message}`,
      `payload of ${message}`,
      qos,
      expiresIn,
    );
    expect(isTaken).toBe(true);
  });
}

function release(packets: Packets, id: number): Promise<void> {
  return new Promise((resolve) => packets.put({ cmd: 'pubrel', messageId: id }, () => resolve()));
}

function finish(packets: Packets, id: number): Promise<void> {
  return new Promise((resolve) => packets.del({ messageId: id }, () => resolve()));
}

async function replayed(packets: Packets): Promise<StoredPacket[]> {
  const seen: StoredPacket[] = [];
  for await (const packet of packets.createStream()) seen.push(packet as StoredPacket);
  return seen;
}

describe('packets that the broker has not finished', () => {
  test('survive the process, in their order, with DUP and with what they have come to', async () => {
    const before = await load();
    await publish(before, 9, 'a');
    await publish(before, 3, 'b');
    await publish(before, 5, 'c', 1);
    await release(before, 9);
    const after = await load();
    expect(await replayed(after)).toEqual([
      { cmd: 'pubrel', messageId: 9 },
      { cmd: 'publish', messageId: 3, qos: 2, dup: true, retain: false, topic: 'topic/b', payload: 'payload of b' },
      { cmd: 'publish', messageId: 5, qos: 1, dup: true, retain: false, topic: 'topic/c', payload: 'payload of c' },
    ]);
    expect(after.messages()).toEqual(['a', 'b', 'c']);
    expect([3, 5, 9, 4].map((id) => after.has(id))).toEqual([true, true, true, false]);
    expect((await store.get('test/a'))?.toString()).toBe('released');
  });

  test('are sent again with what is left of the time for which they may be delivered, and no less than a second', async () => {
    const sent = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(sent);
    await publish(await load(), 1, 'a', 2, 60);
    const left = async (after: number): Promise<unknown> => {
      vi.spyOn(Date, 'now').mockReturnValue(sent + after);
      const [packet] = await replayed(await load());
      return (packet as IPublishPacket).properties;
    };
    expect(await left(20_500)).toEqual({ messageExpiryInterval: 40 });
    expect(await left(100_000)).toEqual({ messageExpiryInterval: 1 });
  });

  test('are passed over when nobody can read them', async () => {
    await publish(await load(), 1, 'a');
    for (const [index, value] of ['{', 'null', '{"id":"1"}'].entries()) {
      const key = `packet/broker/000000000001${index}f`;
      await store.batch([{ type: 'put', key, value: Buffer.from(value) }], { sync: true });
    }
    expect((await load()).messages()).toEqual(['a']);
  });

  test('are gone when they are finished, together with what the owner makes of it', async () => {
    const packets = await load();
    await publish(packets, 1, 'a');
    await release(packets, 1);
    await finish(packets, 1);
    expect(packets.size).toBe(0);
    expect((await load()).size).toBe(0);
    expect(stored).toEqual(['a sent', 'a released', 'a finished']);
    expect((await store.get('test/a'))?.toString()).toBe('finished');
  });

  test('are not handed on when the connection has ended before they were stored, but replayed once they are', async () => {
    const packets = await load();
    let calledBack = false;
    void publish(packets, 1, 'a').then(() => {
      calledBack = true;
    });
    packets.disconnected();
    // The replay waits for the batch.
    expect(await replayed(packets)).toMatchObject([{ cmd: 'publish', messageId: 1 }]);
    expect(stored).toEqual(['a sent']);
    expect(calledBack).toBe(false);
  });

  test('are lost with the session at QoS 2, and sent again at QoS 1', async () => {
    const packets = await load();
    await publish(packets, 1, 'published');
    await publish(packets, 2, 'released');
    await publish(packets, 3, 'alarm', 1);
    await release(packets, 2);
    expect(packets.loseSession('forgotten')).toEqual([1, 2]);
    // Not replayed, though the store has not forgotten them yet; nor is their id given to another packet.
    expect(packets.has(1)).toBe(true);
    expect(await replayed(packets)).toMatchObject([{ messageId: 3 }]);
    expect(stored.slice(-2)).toEqual(['published lost', 'released lost']);
    expect((await load()).messages()).toEqual(['alarm']);
  });

  test('are refused when the broker says so, and finished when it only does not know a repeated PUBREL', async () => {
    const packets = await load();
    await publish(packets, 1, 'refused');
    packets.answered(1, 0x87);
    await finish(packets, 1);
    await publish(packets, 2, 'repeated');
    await release(packets, 2);
    packets.disconnected();
    packets.answered(2, 0x92);
    await finish(packets, 2);
    await publish(packets, 3, 'unknown');
    await release(packets, 3);
    packets.answered(3, 0x92);
    await finish(packets, 3);
    // No matching subscribers is no refusal.
    await publish(packets, 4, 'unheard');
    packets.answered(4, 0x10);
    await finish(packets, 4);
    const ends = changes.filter((change) => !/ (sent|released)$/.test(change));
    expect(ends).toEqual(['refused refused', 'repeated finished', 'unknown lost', 'unheard finished']);
  });

  test('are lost when a second copy is refused, as the first may be there, and when their id is in use', async () => {
    const packets = await load();
    await publish(packets, 1, 'second copy');
    await publish(packets, 2, 'alarm', 1);
    packets.disconnected();
    await publish(packets, 3, 'first copy');
    await publish(packets, 4, 'in use');
    for (const [id, reasonCode] of [
      [1, 0x97],
      [2, 0x97],
      [3, 0x97],
      [4, 0x91],
    ] as const) {
      packets.answered(id, reasonCode);
      await finish(packets, id);
    }
    expect(stored.slice(4)).toEqual(['second copy lost', 'alarm refused', 'first copy refused', 'in use lost']);
    const found = await load();
    await publish(found, 5, 'found');
    const again = await load();
    again.answered(5, 0x87);
    await finish(again, 5);
    expect(stored.at(-1)).toBe('found lost');
  });

  test('of another session are lost at QoS 2, and stay with it at QoS 1', async () => {
    const first = await load();
    first.belongTo('one');
    await publish(first, 1, 'a');
    await publish(first, 2, 'b');
    await release(first, 2);
    await publish(first, 3, 'alarm', 1);
    const same = await load();
    same.belongTo('one');
    expect(await replayed(same)).toHaveLength(3);
    const other = await load();
    other.belongTo('other');
    expect(await replayed(other)).toMatchObject([{ messageId: 3 }]);
    expect(stored.slice(-2)).toEqual(['a lost', 'b lost']);
  });

  test('are withdrawn when the broker has come to take less', async () => {
    const packets = await load();
    await publish(packets, 1, 'short');
    await publish(packets, 2, 'x'.repeat(200));
    await publish(packets, 3, 'y'.repeat(200));
    await release(packets, 3);
    expect(packets.withdrawLarger(100)).toEqual([2]);
    expect(await replayed(packets)).toMatchObject([{ messageId: 1 }, { cmd: 'pubrel', messageId: 3 }]);
    expect(stored.at(-1)).toBe(`${'x'.repeat(200)} withdrawn`);
  });

  test('are not handed on when the store has failed, which is reported', async () => {
    const packets = await load();
    store.distrust('a test');
    let calledBack = false;
    void publish(packets, 1, 'a').then(() => {
      calledBack = true;
    });
    await expect.poll(() => failures.length).toBe(1);
    expect(calledBack).toBe(false);
    expect(stored).toEqual([]);
    await expect(replayed(packets)).rejects.toThrow(/cannot be used/);
  });
});
