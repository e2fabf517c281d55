import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { limitPackets, MAXIMUM_PACKET_SIZE, PacketLimit, PacketTooLarge } from '../../../nodes/lib/mqtt/packet-limit';
import { DEFAULT_MAXIMUM_BYTES } from '../../../nodes/lib/protocol/limits';
import { seededRandom } from '../../support/campaign';

/** What any PUBLISH is cut to: topic and its length, packet id, and a message that is one byte too long. */
const CUT = 2 + 65_535 + 2 + DEFAULT_MAXIMUM_BYTES + 1;

function lengthOf(length: number): number[] {
  return length < 128 ? [length] : [(length % 128) | 0x80, ...lengthOf(Math.floor(length / 128))];
}

function packet(first: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([first, ...lengthOf(body.length)]), body]);
}

const body = (length: number): Buffer => Buffer.alloc(length, 'x');

test('cuts the messages that are too long, wherever the bytes are parted, and nothing else', () => {
  const random = seededRandom();
  const lengths = [0, 1, 2, 127, 128, 16_383, 16_384, CUT - 1, CUT, CUT + 1, 3_000_000];
  for (let round = 0; round < 50; round++) {
    const bodies = Array.from({ length: 6 }, () => body(lengths[Math.floor(random() * lengths.length)] ?? 0));
    const bytes = Buffer.concat(bodies.map((one) => packet(0x32, one)));
    const expected = Buffer.concat(bodies.map((one) => packet(0x32, one.subarray(0, CUT))));
    const limit = new PacketLimit(false);
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = random() < 0.2 ? 1 + Math.floor(3 * random()) : 1 + Math.floor(200_000 * random());
      parts.push(limit.filter(bytes.subarray(at, at + size)));
      at += size;
    }
    expect(Buffer.concat(parts).equals(expected)).toBe(true);
  }
});

test('whatever its topic, the message in a packet that was cut is still too long', () => {
  expect(CUT - (2 + 65_535 + 2)).toBe(DEFAULT_MAXIMUM_BYTES + 1);
});

test('breaks off where a packet cannot be cut: another one than a message, and any over MQTT 5', () => {
  const header = (first: number, length: number): Buffer => Buffer.from([first, ...lengthOf(length)]);
  expect(() => new PacketLimit(false).filter(header(0x90, CUT + 1))).toThrow(PacketTooLarge);
  expect(() => new PacketLimit(true).filter(header(0x32, MAXIMUM_PACKET_SIZE + 1))).toThrow(PacketTooLarge);
  expect(new PacketLimit(true).filter(header(0x32, MAXIMUM_PACKET_SIZE))).toHaveLength(4);
});

test('a stream that is limited ends with an error that says so', async () => {
  const stream = new PassThrough();
  limitPackets(stream, true);
  const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
  stream.resume();
  stream.write(Buffer.from([0x32, ...lengthOf(50_000_000)]));
  expect((await failed).message).toMatch(/50000000 bytes/);
});
