import { expect, test } from 'vitest';
import type { BucketReport } from '../../../nodes/lib/backup/backup';
import type { Result } from '../../../nodes/influx-backup/perform';
import { backupView, type BackupState } from '../../../nodes/influx-backup/view';

const text = (name: string, values?: Record<string, string>): string =>
  [name, ...Object.values(values ?? {})].join(' ');
const nothing: BackupState = { working: undefined, failure: undefined, result: undefined, next: undefined };

function view(state: Partial<BackupState>): string {
  const { intent, text: shown } = backupView({ ...nothing, ...state }, text);
  return `${intent}: ${shown}`;
}

function backup(more: Partial<Result & { command: 'backup' }>): Result {
  const totals = { ok: true, copied: 0, points: 0, bytes: 0, missing: 0, milliseconds: 1 };
  return { command: 'backup', buckets: [], ...totals, ...more };
}

test('says what is going on, then what is wrong, then what was done', () => {
  expect(view({})).toBe('idle: waiting');
  expect(view({ next: new Date(2026, 6, 1, 3, 5) })).toBe('idle: next 2026-07-01 03:05');
  const result = backup({ copied: 3, points: 12_345 });
  const progress = { command: 'verify', bucket: 'raw', day: '2026-07-01', points: 5000, rate: 1 } as const;
  expect(view({ result, working: { command: 'restore' }, failure: 'x' })).toBe('working: restore-begins');
  expect(view({ working: { command: 'restore', progress } })).toBe('working: verify-goes-on raw 2026-07-01 5,000');
  expect(view({ result, failure: 'the disk is full' })).toBe('trouble: failed the disk is full');
  expect(view({ result })).toBe('ok: copied 3 12,345');
});

test('says of a backup what an operator should know', () => {
  expect(view({ result: backup({}) })).toBe('ok: unchanged 0 0');
  expect(view({ result: backup({ copied: 1, points: 7 }) })).toBe('ok: copied-day 1 7');
  expect(view({ result: backup({ ok: false, missing: 1200, copied: 1 }) })).toBe('trouble: missing 1,200');
  const report: BucketReport = {
    bucket: 'raw',
    days: 1,
    copied: [],
    points: 0,
    bytes: 0,
    removed: [],
    missing: 0,
    missingOf: [],
    faults: ['f.lp.gz is missing'],
    unreadable: [],
  };
  expect(view({ result: backup({ ok: false, buckets: [report] }) })).toBe('trouble: fault f.lp.gz is missing');
  const omitted = { points: 1, fields: 0, reason: 'x'.repeat(100) };
  const cut = view({ result: backup({ ok: false, buckets: [{ ...report, faults: [], omitted }] }) });
  const told = { points: 0, fields: 1, reason: 'y' };
  expect(view({ result: backup({ ok: true, buckets: [{ ...report, faults: [], omitted: told }] }) })).toBe(
    'warning: fault y',
  );
  expect(cut).toBe(`trouble: fault ${'x'.repeat(24)}…`);
});

test('says of a restore what was refused', () => {
  const restored = { command: 'restore' as const, dryRun: false, days: 1, points: 5, buckets: [], milliseconds: 1 };
  expect(view({ result: { ...restored, ok: true, written: 5, refused: 0 } })).toBe('ok: restored 5 0');
  expect(view({ result: { ...restored, ok: false, written: 4, refused: 1 } })).toBe('trouble: refused 4 1');
  expect(view({ result: { ...restored, ok: true, dryRun: true, written: 0, refused: 0 } })).toBe('ok: dry-run 5');
});
