import { expect, it } from 'vitest';
import type { RuleMarks } from '../../../nodes/lib/aggregate/mark';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import type { PointQueue } from '../../../nodes/lib/store/queue';
import { tempDirectory } from '../../support/temp';
import { accept, acceptAll, closeAll, drain, openQueue, openStore } from '../store/support';

const MINUTE = { id: 'minute', bucket: 'raw', measurement: 'm', every: 60_000, into: 'minutes' };
const HOUR = { id: 'hour', bucket: 'raw', measurement: 'm', every: 3_600_000, into: 'hours' };

async function open(
  directory: string,
  options: { windows?: number; limitBytes?: number } = {},
): Promise<{ marks: Marks; queue: PointQueue }> {
  const marks = new Marks('s1', options);
  const queue = await openQueue(await openStore(directory), { ...options, companion: marks });
  return { marks, queue };
}

function ruleOf(marks: Marks, rule: string, node = 'a'): RuleMarks {
  const found = marks.of(node).get(rule);
  if (found === undefined) throw new Error(`no rule ${rule}`);
  return found;
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
  const rule = ruleOf(marks, 'minute');
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
  marks.giveBack(ruleOf(marks, 'minute'), taken);
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
  const rule = ruleOf(marks, 'minute');
  await marks.add(rule, 0, 900 * 60_000);
  expect(rule.windows.size).toBe(900);
  expect(rule.windows.get(0)).toMatchObject({ series: undefined, before: { event: 0, sensor: 1 } });
  await closeAll();
  expect(startsOf((await open(directory)).marks, 'minute')).toHaveLength(900);
});

it('marks the windows of results that the full queue drops once more', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory, { limitBytes: 200 });
  marks.setRules('a', [MINUTE, HOUR]);
  await accept(queue, at(60_000));
  await drain(queue);
  const rule = ruleOf(marks, 'minute');
  const taken = marks.take([...rule.windows.values()]);
  await accept(queue, 'm,d=a v_mean=1 60000000000', { bucket: 'minutes', origin: 'a' });
  await marks.finish(rule, taken);
  await accept(queue, 'm,d=a v_mean=1 120000000000', { bucket: 'elsewhere' });
  expect(startsOf(marks, 'minute')).toEqual([]);
  await acceptAll(
    queue,
    Array(5).fill('other,d=a text="a line that is so long that all the results must go" 0') as string[],
  );
  expect(queue.totals('a')).toMatchObject({ dropped: 1, queuedPoints: 0 });
  expect(rule.dropped).toBe(1);
  expect(startsOf(marks, 'minute')).toEqual([60_000]);
  expect(rule.windows.get(60_000)).toMatchObject({ series: new Set(['m,d=a']), touched: true });
  // An hour's result was not dropped.
  expect(startsOf(marks, 'hour')).toEqual([0]);
  await closeAll();
  expect(startsOf((await open(directory)).marks, 'minute')).toEqual([60_000]);
});

it('keeps a window that is being computed marked when its results are dropped meanwhile', async () => {
  const { marks, queue } = await open(tempDirectory('marks'), { limitBytes: 100 });
  marks.setRules('a', [MINUTE]);
  await accept(queue, at(60_000));
  await drain(queue);
  const rule = ruleOf(marks, 'minute');
  const taken = marks.take([...rule.windows.values()]);
  await accept(queue, 'm,d=a v_mean=1 60000000000', { bucket: 'minutes', origin: 'a' });
  await accept(queue, `other,d=a text="${'x'.repeat(80)}" 0`);
  await marks.finish(rule, taken);
  expect(startsOf(marks, 'minute')).toEqual([60_000]);
});

it('marks a hundred days of seconds without holding them one by one', async () => {
  const directory = tempDirectory('marks');
  const { marks } = await open(directory);
  const second = { ...MINUTE, id: 'second', every: 1000 };
  marks.setRules('a', [second]);
  const rule = ruleOf(marks, 'second');
  const days = 100 * 86_400_000;
  await marks.add(rule, 1_700_000_500_000, 1_700_000_500_000 + days);
  expect(rule.windows.size).toBe(1000);
  expect(rule.stretches.size).toBe(days / 1_000_000 - 1);
  expect(rule.count({ now: 1_700_000_500_000 + days, grace: 0 })).toEqual({ waiting: days / 1000, open: 0 });
  await closeAll();

  const again = ruleOf((await open(directory)).marks, 'second');
  expect(again.windows.size).toBe(1000);
  expect(again.stretches.size).toBe(rule.stretches.size);
  expect(again.count({ now: 1_700_001_000_000, grace: 0 })).toEqual({ waiting: 500, open: 500 });
});

it('marks the windows of dropped results of a node that was replaced by another one', async () => {
  const { marks, queue } = await open(tempDirectory('marks'), { limitBytes: 100 });
  marks.setRules('new', [MINUTE]);
  await accept(queue, 'm,d=a v_mean=1 60000000000', { bucket: 'minutes', origin: 'old' });
  await accept(queue, `other,d=a text="${'x'.repeat(80)}" 0`);
  expect(startsOf(marks, 'minute', 'new')).toEqual([60_000]);
});

it('unfolds a stretch into its windows, but for those that are too old', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory);
  marks.setRules('a', [MINUTE]);
  const rule = ruleOf(marks, 'minute');
  await marks.add(rule, 0, 1000 * 60_000);
  const [stretch] = rule.stretches.values();
  if (stretch === undefined) throw new Error('no stretch');
  await accept(queue, at(0));
  await marks.unfold(rule, stretch, 990 * 60_000 - 1);
  expect([...rule.stretches.values()]).toMatchObject([{ from: 0, to: 990 * 60_000 }]);
  expect(startsOf(marks, 'minute')).toEqual([0, ...Array.from({ length: 10 }, (_, index) => (990 + index) * 60_000)]);
  expect(rule.windows.get(990 * 60_000)).toMatchObject({ series: undefined, before: { event: 0, sensor: 1 } });
  await closeAll();
  const after = ruleOf((await open(directory)).marks, 'minute');
  expect(after.windows.size).toBe(11);
  expect([...after.stretches.values()]).toMatchObject([{ from: 0, to: 990 * 60_000 }]);
});

it('folds windows into their stretches, and gives up what it is told to', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory);
  marks.setRules('a', [MINUTE]);
  const rule = ruleOf(marks, 'minute');
  await acceptAll(queue, [at(998 * 60_000), at(999 * 60_000), at(1000 * 60_000), at(1500 * 60_000)]);
  await marks.fold(rule, [...rule.windows.values()].slice(0, 3), 5000);
  expect(startsOf(marks, 'minute')).toEqual([1500 * 60_000]);
  const [first, second] = [...rule.stretches.values()];
  expect(first).toMatchObject({ from: 998 * 60_000, to: 1000 * 60_000, notBefore: 5000 });
  expect(second).toMatchObject({ from: 1000 * 60_000, to: 1001 * 60_000, notBefore: 5000 });
  await marks.giveUp(rule, [...rule.windows.values()], [...rule.stretches.values()].slice(0, 1));
  await closeAll();
  const after = ruleOf((await open(directory)).marks, 'minute');
  expect([after.windows.size, [...after.stretches.keys()]]).toEqual([0, [1000 * 60_000]]);
});

it('shares the memory for marks among the rules', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  const many = Array.from({ length: 2000 }, (_, index) => ({ ...MINUTE, id: `r${index}`, measurement: `m${index}` }));
  marks.setRules('a', many);
  await acceptAll(
    queue,
    Array.from({ length: 300 }, (_, index) => at(index * 60_000, 'm7,d=a')),
  );
  const { windows, stretches } = ruleOf(marks, 'r7');
  expect([windows.size, stretches.size]).toEqual([100, 1]);
});

it('remembers no more series than it may, however they come', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  marks.setRules('a', [MINUTE]);
  const windows = 3000;
  for (let device = 0; device < 40; device++) {
    await acceptAll(
      queue,
      Array.from({ length: windows }, (_, index) => at(index * 60_000, `m,d=d${device}`)),
    );
  }
  const rule = ruleOf(marks, 'minute');
  const remembered = [...rule.windows.values()].reduce((sum, { series }) => sum + (series?.size ?? 0), 0);
  expect(remembered).toBeLessThanOrEqual(100_000);
});

it('marks stretches when many windows are marked, but never the one that is now', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory, { windows: 2 });
  marks.setRules('a', [MINUTE]);
  const now = Date.now();
  await acceptAll(queue, [at(0), at(60_000), at(30 * 60_000), at(20 * 60_000), at(1500 * 60_000), at(now)]);
  const rule = ruleOf(marks, 'minute');
  expect(startsOf(marks, 'minute')).toEqual([0, 60_000, now - (now % 60_000)]);
  const expected = [
    { start: 0, from: 20 * 60_000, to: 31 * 60_000 },
    { start: 1000 * 60_000, from: 1500 * 60_000, to: 1501 * 60_000 },
  ];
  expect([...rule.stretches.values()]).toMatchObject(expected);
  await closeAll();
  const again = await open(directory);
  expect([...ruleOf(again.marks, 'minute').stretches.values()]).toMatchObject(expected);
  again.marks.setRules('a', [HOUR]);
  await closeAll();
  const after = await open(directory);
  after.marks.setRules('a', [MINUTE]);
  expect(ruleOf(after.marks, 'minute').stretches.size).toBe(0);
});

it('forgets a node that is not there when the store is read only after all nodes have started', async () => {
  const directory = tempDirectory('marks');
  const before = await open(directory);
  for (const node of ['a', 'b']) before.marks.setRules(node, [MINUTE]);
  await accept(before.queue, at(0));
  await closeAll();

  const marks = new Marks('s1');
  marks.enter('a');
  marks.forgetAbsent();
  const queue = await openQueue(await openStore(directory), { companion: marks });
  await accept(queue, at(60_000));
  expect(startsOf(marks, 'minute')).toEqual([0, 60_000]);
  expect(marks.of('b').size).toBe(0);
  await closeAll();
  expect((await open(directory)).marks.of('b').size).toBe(0);
});

it('forgets a node that was there and has gone to another server', async () => {
  const { marks, queue } = await open(tempDirectory('marks'));
  for (const node of ['a', 'b']) {
    marks.enter(node);
    marks.setRules(node, [MINUTE]);
  }
  // A deploy: both are started anew, one of them elsewhere. What comes between is not lost for the other.
  marks.exit('a');
  marks.exit('b');
  await accept(queue, at(0));
  marks.enter('a');
  marks.forgetAbsent();
  expect(startsOf(marks, 'minute')).toEqual([0]);
  expect(marks.of('b').size).toBe(0);
});

it('hands the windows of a node that has gone to one with the same rules, over a restart too', async () => {
  const directory = tempDirectory('marks');
  const { marks, queue } = await open(directory, { windows: 2 });
  marks.enter('a');
  marks.setRules('a', [MINUTE, HOUR]);
  await acceptAll(queue, [at(0), at(180_000), at(7 * 86_400_000)]);
  const stretches = [...ruleOf(marks, 'minute').stretches.values()].map(({ from, to }) => ({ from, to }));
  expect(stretches).toHaveLength(1);
  // A deploy puts an equal node in its place, but for the hours.
  marks.exit('a');
  await accept(queue, at(60_000));
  marks.enter('b');
  marks.setRules('b', [MINUTE]);
  marks.forgetAbsent();
  expect(marks.of('a').size).toBe(0);
  expect(startsOf(marks, 'minute', 'b')).toEqual([0, 180_000]);
  expect([...ruleOf(marks, 'minute', 'b').stretches.values()]).toMatchObject([
    ...stretches,
    { from: 60_000, to: 120_000 },
  ]);
  await closeAll();

  // The same while Node-RED was not running.
  const after = new Marks('s1');
  const opening = openQueue(await openStore(directory), { companion: after });
  after.enter('c');
  after.setRules('c', [MINUTE]);
  await opening;
  after.forgetAbsent();
  expect(startsOf(after, 'minute', 'c')).toEqual([0, 180_000]);
  expect(after.of('b').size).toBe(0);
});
