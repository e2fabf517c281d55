import { expect, test } from 'vitest';
import { dayOf, hourOf, startOf, touches } from '../../../nodes/lib/backup/days';
import { copyName, folderOf, nameOfFolder, parseCopyName } from '../../../nodes/lib/backup/layout';

test.each(['raw', 'a b', '..', '.', '', 'a/b', 'C:\\x', 'é😀', '%41', '*?', 'x.', '.hidden'])(
  '%j is a folder',
  (name) => {
    const folder = folderOf(name);
    expect(folder).toMatch(/^(?!\.)[A-Za-z0-9._%-]+(?<!\.)$/);
    expect(nameOfFolder(folder)).toBe(name);
  },
);

test('a copy tells its day and the start of its sum', () => {
  const name = copyName('2026-07-01', 'ab12cd34ef56'.repeat(5));
  expect(name).toBe('2026-07-01.ab12cd34ef56.lp.gz');
  expect(parseCopyName(name)).toEqual({ day: '2026-07-01', sum: 'ab12cd34ef56' });
  expect(parseCopyName('2026-07-01.lp.gz')).toBeUndefined();
  expect(parseCopyName(`${name}.damaged`)).toBeUndefined();
});

test('times fall into days and hours of UTC', () => {
  expect(dayOf(0n)).toBe('1970-01-01');
  expect(dayOf(-1n)).toBe('1969-12-31');
  expect(dayOf(-86_400_000_000_000n)).toBe('1969-12-31');
  expect(dayOf(-86_400_000_000_001n)).toBe('1969-12-30');
  expect(dayOf(9_223_372_036_854_775_806n)).toBe('2262-04-11');
  expect(dayOf(-9_223_372_036_854_775_806n)).toBe('1677-09-21');
  const start = startOf('2026-07-01');
  expect(start).toBe(1_782_864_000_000_000_000n);
  expect(hourOf(start - 1n, start)).toBe(-1);
  expect(hourOf(startOf('2026-07-01', 23), start)).toBe(23);
  expect(hourOf(startOf('2026-07-01', 24), start)).toBe(24);
  expect(touches('2026-07-01', { from: start + 5n })).toBe(true);
  expect(touches('2026-07-01', { from: startOf('2026-07-02') })).toBe(false);
  expect(touches('2026-07-01', { to: start })).toBe(false);
  expect(touches('2026-07-01', { to: start + 1n })).toBe(true);
});
