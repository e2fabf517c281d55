import { describe, expect, test } from 'vitest';
import { commandOf, type CommandMessage } from '../../../nodes/influx-backup/command';

const JULY_1 = 1_782_864_000_000_000_000n;
const DAY = 86_400_000_000_000n;

const text = (name: string, values?: Record<string, string>): string =>
  [name, ...Object.values(values ?? {})].join(' ');

function read(message: CommandMessage) {
  return commandOf(message, text);
}

describe('a message', () => {
  test('asks for one of four things', () => {
    const plain = {
      range: { from: undefined, to: undefined },
      dryRun: false,
      full: false,
      shrink: false,
      hasMoved: false,
    };
    for (const name of ['backup', 'verify', 'restore', 'list'])
      expect(read({ payload: name })).toEqual({ name, ...plain });
    for (const payload of ['Backup', '', undefined, 1, {}]) expect(() => read({ payload })).toThrow('command');
  });

  test('chooses', () => {
    const message = {
      payload: 'restore',
      bucket: 'raw',
      into: 'other',
      dryRun: true,
      copiesOf: 'house',
      from: '',
      to: null,
    };
    expect(read(message)).toMatchObject({ bucket: 'raw', into: 'other', dryRun: true, copiesOf: 'house' });
    expect(read({ payload: 'backup', full: true, confirm: 'shrink' })).toMatchObject({ full: true, shrink: true });
    expect(read({ payload: 'backup', confirm: 'moved' })).toMatchObject({ shrink: false, hasMoved: true });
    expect(read({ payload: 'backup', full: null, dryRun: '' })).toMatchObject({ full: false, dryRun: false });
  });

  test.each<[unknown, bigint, bigint]>([
    ['2026-07-01', JULY_1, JULY_1 + DAY],
    ['2026-07-01T00:00:00Z', JULY_1, JULY_1],
    ['2026-07-01T02:00:00+02:00', JULY_1, JULY_1],
    [JULY_1.toString(), JULY_1, JULY_1],
    [JULY_1 + 1n, JULY_1 + 1n, JULY_1 + 1n],
    [Number(JULY_1 / 1_000_000n), JULY_1, JULY_1],
    [new Date('2026-07-01T00:00:00Z'), JULY_1, JULY_1],
  ])('with the time %s', (moment, from, to) => {
    expect(read({ payload: 'list', from: moment }).range.from).toBe(from);
    expect(read({ payload: 'list', to: moment }).range.to).toBe(to);
  });

  test.each<[CommandMessage, string]>([
    [{ from: 'yesterday' }, 'moment from'],
    [{ to: '2026-07-01T00:00:00' }, 'moment to'],
    [{ from: '2026-13-01' }, 'moment from'],
    [{ from: '2026-02-30' }, 'moment from'],
    [{ from: true }, 'moment from'],
    [{ from: NaN }, 'moment from'],
    [{ from: '2026-07-02', to: '2026-07-01' }, 'range'],
    [{ bucket: 5 }, 'not-text bucket'],
    [{ into: 'other' }, 'into'],
    // A dry run that is not one would write.
    [{ dryRun: 'true' }, 'not-boolean dryRun'],
    [{ dryRun: 1 }, 'not-boolean dryRun'],
    [{ payload: 'backup', full: 'yes' }, 'not-boolean full'],
    [{ payload: 'backup', dryRun: true }, 'not-for-backup dryRun'],
    // It would not wait for its turn at the folder that it writes to.
    [{ payload: 'backup', copiesOf: 'house' }, 'not-for-backup copiesOf'],
  ])('that cannot be meant is refused: %j', (message, reason) => {
    expect(() => read({ payload: 'restore', ...message })).toThrow(
      expect.objectContaining({ code: 'backup-failed', message: reason }) as Error,
    );
  });
});
