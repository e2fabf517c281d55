import { expect, it } from 'vitest';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import type { PointQueue } from '../../../nodes/lib/store/queue';
import { tempDirectory } from '../../support/temp';
import { accept, acceptAll, closeAll, drain, openQueue, openStore } from '../store/support';

const MINUTE = { id: 'minute', bucket: 'raw', measurement: 'm', every: 60_000 };
const HOUR = { id: 'hour', bucket: 'raw', measurement: 'm', every: 3_600_000 };

async function open(directory: string): Promise<{ marks: Marks; queue: PointQueue }> {
  const marks = new Marks('s1');
  const queue = await openQueue(await openStore(directory), { companion: marks });
  return { marks, queue };
}

function startsOf(marks: Marks, rule: string, node = 'a'): number[] {
  return [...(marks.of(node).get(rule)?.windows.keys() ?? [])].sort((a, b) => a - b);
}

const at = (milliseconds: number, series = 'm,d=a'): string => `${series} v=1 ${milliseconds}000000`;

it('marks the window of each point, by every rule of its measurement and bucket', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  marks.setRules('a', [MINUTE, HOUR]);
  await acceptAll(queue, [at(59_999), at(60_000), at(3_600_001), at(7_200_000, 'other,d=a'), at(7_200_000, 'mm')]);
  await accept(queue, at(10_000_000), { bucket: 'else' });
  expect(startsOf(marks, 'minute')).toEqual([0, 60_000, 3_600_000]);
  expect(startsOf(marks, 'hour')).toEqual([0, 3_600_000]);
  // What a node that aggregates hands in itself are results.
  await accept(queue, at(20_000_000), { origin: 'a' });
  expect(startsOf(marks, 'hour')).toEqual([0, 3_600_000]);
});

it('keeps marks and rules over a restart, also of points that come before the node does', async () => {
  const directory = tempDirectory('marks');
  const before = await open(directory);
  before.marks.setRules('a', [MINUTE]);
  await acceptAll(before.queue, [at(0), at(180_000)]);
  await drain(before.queue);
  await accept(before.queue, at(60_000));
  await closeAll();

  const { marks, queue } = await open(directory);
  expect(startsOf(marks, 'minute')).toEqual([0, 60_000, 180_000]);
  await accept(queue, at(240_000));
  expect(startsOf(marks, 'minute')).toEqual([0, 60_000, 180_000, 240_000]);
  // Which of them have chunks in the queue is not known any more: all wait for what was stored until then.
  const found = marks.of('a').get('minute')?.windows.get(0);
  expect(found).toMatchObject({ series: undefined, before: { event: 0, sensor: 2 } });
  expect(queue.left('raw')).toEqual({ event: 0, sensor: 1 });
  await drain(queue);
  expect(queue.left('raw')).toEqual({ event: 0, sensor: 3 });
});

it('remembers the series of a window until they are many', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  marks.setRules('a', [MINUTE]);
  await acceptAll(queue, [at(0, 'm,d=a'), at(1, 'm,d=b'), at(2, 'm,d=a')]);
  const windows = marks.of('a').get('minute')?.windows;
  expect(windows?.get(0)?.series).toEqual(new Set(['m,d=a', 'm,d=b']));
  await acceptAll(
    queue,
    Array.from({ length: 60 }, (_, index) => at(index, `m,d=${index}`)),
  );
  expect(windows?.get(0)?.series).toBeUndefined();
});

it('ends a mark that is finished, but not one that was made anew meanwhile', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory);
  marks.setRules('a', [MINUTE]);
  await acceptAll(queue, [at(0), at(60_000)]);
  const rule = marks.of('a').get('minute');
  if (!rule) throw new Error('no rule');
  const taken = marks.take([...rule.windows.values()]);
  await accept(queue, at(1, 'm,d=b'));
  await marks.finish(rule, taken);
  expect(startsOf(marks, 'minute')).toEqual([0]);
  expect(rule.windows.get(0)?.series).toEqual(new Set(['m,d=b']));
  await closeAll();
  expect(startsOf((await open(directory)).marks, 'minute')).toEqual([0]);
});

it('gives a mark that was not computed all its series back', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  marks.setRules('a', [MINUTE]);
  await accept(queue, at(0));
  const windows = marks.of('a').get('minute')?.windows;
  const taken = marks.take([...(windows?.values() ?? [])]);
  await accept(queue, at(1, 'm,d=b'));
  marks.giveBack(taken);
  expect(windows?.get(0)).toMatchObject({ series: new Set(['m,d=a', 'm,d=b']), taken: false, touched: true });
});

it('forgets rules that have gone, and nodes that do not come back, with their marks', async () => {
  const directory = tempDirectory('marks');
  const before = await open(directory);
  before.marks.setRules('a', [MINUTE, HOUR]);
  before.marks.setRules('b', [MINUTE]);
  await accept(before.queue, at(0));
  before.marks.setRules('a', [HOUR]);
  await closeAll();

  const after = await open(directory);
  expect(startsOf(after.marks, 'minute')).toEqual([]);
  expect(startsOf(after.marks, 'hour')).toEqual([0]);
  expect(startsOf(after.marks, 'minute', 'b')).toEqual([0]);
  after.marks.enter('a');
  after.marks.forgetAbsent();
  await closeAll();

  const { marks } = await open(directory);
  expect(startsOf(marks, 'hour')).toEqual([0]);
  expect(marks.of('b').size).toBe(0);
});

it('marks by hand, for all series', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory);
  marks.setRules('a', [MINUTE]);
  await accept(queue, at(0));
  const rule = marks.of('a').get('minute');
  if (!rule) throw new Error('no rule');
  await marks.add(
    rule,
    Array.from({ length: 2500 }, (_, index) => index * 60_000),
  );
  expect(rule.windows.size).toBe(2500);
  expect(rule.windows.get(0)).toMatchObject({ series: undefined, before: { event: 0, sensor: 1 } });
  await closeAll();
  expect(startsOf((await open(directory)).marks, 'minute')).toHaveLength(2500);
});
