import { expect, test } from 'vitest';
import { inTurn } from '../../../nodes/influx-backup/turns';

const never = new AbortController().signal;

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('what has the same key is done one after the other, whatever becomes of it', async () => {
  const done: string[] = [];
  const first = gate();
  const one = inTurn('a', never, async () => {
    await first.opened;
    done.push('one');
    throw new Error('failed');
  });
  const two = inTurn('a', never, () => Promise.resolve(done.push('two')));
  await inTurn('b', never, () => Promise.resolve(done.push('other')));
  first.open();
  await expect(one).rejects.toThrow('failed');
  await two;
  expect(done).toEqual(['other', 'one', 'two']);
});

test('who is aborted does not wait, and nobody gets a turn too early for that', async () => {
  const done: string[] = [];
  const first = gate();
  const abort = new AbortController();
  const one = inTurn('a', never, async () => {
    await first.opened;
    done.push('one');
  });
  const two = inTurn('a', abort.signal, () => Promise.resolve(done.push('two')));
  const three = inTurn('a', never, () => Promise.resolve(done.push('three')));
  abort.abort(new Error('closing'));
  await expect(two).rejects.toThrow('closing');
  expect(done).toEqual([]);
  first.open();
  await Promise.all([one, three]);
  expect(done).toEqual(['one', 'three']);
});
