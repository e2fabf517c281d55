import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../nodes/influx-backup/command';
import { perform, serverDirectory, type Surroundings } from '../../../nodes/influx-backup/perform';
import type { InfluxServer } from '../../../nodes/lib/influx/server';
import { MemorySource } from '../backup/memory-source';
import { BUCKET, daysAgo, never, temporary } from '../backup/support';

function surroundings(directory: string, source: MemorySource): Surroundings {
  return {
    connection: source as unknown as InfluxServer,
    place: 'http://house:8086, database iot',
    buckets: () => new Map([[BUCKET, { retention: 10 * 86_400 }]]),
    directory,
    serverName: 'house',
    keep: 0,
    signal: never,
    progress: () => undefined,
  };
}

function command(name: Command['name']): Command {
  return { name, range: {}, dryRun: false, full: false, shrink: false, hasMoved: false };
}

function oneDay(): MemorySource {
  const source = new MemorySource();
  source.add(`m v=1 ${daysAgo(1)}`);
  return source;
}

describe('the directory for the copies', () => {
  test.each(['backup', 'verify', 'list', 'restore'] as const)('is not made by %s when it is absent', async (name) => {
    const directory = join(temporary(), 'volume', 'copies');
    await expect(perform(command(name), surroundings(directory, oneDay()))).rejects.toThrow(
      `the directory ${directory} does not exist: mount its volume`,
    );
    expect(existsSync(directory)).toBe(false);
  });

  test('holds a folder for the server', async () => {
    const directory = temporary();
    const { result } = await perform(command('backup'), surroundings(directory, oneDay()));
    expect(result).toMatchObject({ ok: true, copied: 1 });
    expect(readdirSync(join(directory, 'house'))).toEqual([BUCKET]);
  });

  test('is not made either when it goes while a backup is being made', async () => {
    const directory = join(temporary(), 'copies');
    mkdirSync(directory);
    const source = oneDay();
    source.before = () => rmSync(directory, { recursive: true, force: true });
    const { result } = await perform(command('backup'), surroundings(directory, source));
    expect(result).toMatchObject({ ok: false, copied: 0 });
    expect(existsSync(directory)).toBe(false);
  });

  test('must be one', async () => {
    const directory = join(temporary(), 'copies');
    writeFileSync(directory, '');
    await expect(perform(command('backup'), surroundings(directory, oneDay()))).rejects.toThrow('is not a directory');
  });
});

test('two servers of one name do not replace the copies of each other', async () => {
  const directory = temporary();
  const one = surroundings(directory, oneDay());
  await perform(command('backup'), one);
  const files = readdirSync(join(directory, 'house', BUCKET));
  const other = { ...surroundings(directory, new MemorySource()), place: 'http://house:8086, database other' };
  (other.connection as unknown as MemorySource).add(`n v=1 ${daysAgo(1)}`);
  const { result, failure } = await perform(command('backup'), other);
  expect(result).toMatchObject({ ok: false, copied: 0 });
  expect(failure).toContain('(http://house:8086, database iot, not http://house:8086, database other)');
  expect(failure).toContain('another name');
  expect(readdirSync(join(directory, 'house', BUCKET))).toEqual(files);
  expect((await perform(command('backup'), one)).result).toMatchObject({ ok: true, copied: 0 });
  expect((await perform(command('verify'), other)).result).toMatchObject({ ok: true, points: 1 });
});

test('a path that is written in another way is the same folder', () => {
  expect(serverDirectory('/mnt/copies/', 'house')).toBe(serverDirectory('/mnt/../mnt/./copies', 'house'));
});
