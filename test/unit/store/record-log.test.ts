import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../nodes/lib/store/crc32c';
import { blankOut, checkRecordLog } from '../../../nodes/lib/store/record-log';
import { tempDirectory } from '../../support/temp';

/** A log as LevelDB has written it: records of many sizes, some over several blocks. */
async function writtenLog(): Promise<Buffer> {
  const directory = tempDirectory('log');
  const level = new ClassicLevel(directory);
  for (let index = 0; index < 40; index++) await level.put(`key${index}`, 'x'.repeat(index * 211));
  await level.put('large', 'y'.repeat(100_000));
  await level.put('last', 'z');
  await level.close();
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.log'));
  return readFileSync(join(directory, name));
}

describe('crc32c', () => {
  it('gives the known values', () => {
    // RFC 3720, B.4
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('goes on from what came before, at any place', () => {
    const bytes = Buffer.from('The quick brown fox jumps over the lazy dog');
    for (let at = 0; at <= bytes.length; at++) {
      expect(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at))).toBe(crc32c(bytes));
    }
  });
});

describe('checkRecordLog', () => {
  it('finds nothing wrong with what LevelDB has written', async () => {
    expect(checkRecordLog(await writtenLog())).toEqual({ bad: [], torn: false });
    expect(checkRecordLog(Buffer.alloc(0))).toEqual({ bad: [], torn: false });
  });

  it('finds any changed byte, and nothing else once it is blanked out', async () => {
    const log = await writtenLog();
    for (let at = 0; at < log.length; at += 499) {
      const changed = Buffer.from(log);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x04, at);
      const { bad } = checkRecordLog(changed);
      // A length that points beyond the file, in the very last record, cannot be told from a record cut off by a crash.
      if (bad.length === 0) expect(checkRecordLog(changed).torn).toBe(true);
      for (const { start, end } of bad) expect(start <= at && at < end).toBe(true);
      for (const range of checkRecordLog(blankOut(changed, bad)).bad) expect(bad).toContainEqual(range);
    }
  });

  it('takes a file that ends within a record for torn, not for damaged', async () => {
    const log = await writtenLog();
    const last = log.length - 1;
    expect(checkRecordLog(log.subarray(0, last))).toEqual({ bad: [], torn: true });
    for (let length = last; length > last - 200; length--) {
      expect(checkRecordLog(log.subarray(0, length)).bad).toEqual([]);
    }
  });

  it('takes zeros at the end for space that was never written', async () => {
    const log = await writtenLog();
    for (const zeros of [5000, 40_000, 100_000])
      expect(checkRecordLog(Buffer.concat([log, Buffer.alloc(zeros)]))).toEqual({ bad: [], torn: true });
    // A record of which only the beginning has come to the disk.
    const cut = Buffer.from(log);
    cut.fill(0, log.length - 20);
    expect(checkRecordLog(Buffer.concat([cut, Buffer.alloc(500)]))).toEqual({ bad: [], torn: true });
  });

  it('takes zeros for damage when something follows them', async () => {
    const log = await writtenLog();
    for (const at of [0, 8, 32_768, 65_536]) {
      const zeroed = Buffer.from(log);
      zeroed.fill(0, at, at + 512);
      const { bad } = checkRecordLog(zeroed);
      expect(bad).toHaveLength(1);
      expect(bad[0]?.start).toBeLessThanOrEqual(at);
      expect(bad[0]?.end).toBeGreaterThan(at);
    }
  });
});
