import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WriteOutcome } from '../../../nodes/lib/influx/outcome';
import type { InfluxServer } from '../../../nodes/lib/influx/server';
import { Writer, type RefusedPoint, type WriterOptions, type WrittenBatch } from '../../../nodes/lib/influx/writer';
import { PointQueue } from '../../../nodes/lib/store/queue';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';

type Script = (bucket: string, lines: string[], signal: AbortSignal) => WriteOutcome | Promise<WriteOutcome>;

/** An InfluxDB that keeps what it is given, as the script says. */
class FakeServer implements InfluxServer {
  readonly batchLines = 5000;
  readonly overwrites = true;
  readonly requests: { bucket: string; lines: string[] }[] = [];
  readonly stored = new Set<string>();
  script: Script = () => ({ kind: 'written' });
  /** What `/ping` says. */
  up = true;

  async write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    const lines = body.split('\n');
    this.requests.push({ bucket, lines });
    const outcome = await this.script(bucket, lines, signal);
    if (outcome.kind === 'written') for (const line of lines) this.stored.add(line);
    return outcome;
  }

  isUp(): Promise<boolean> {
    return Promise.resolve(this.up);
  }

  test(): never {
    throw new Error('not part of these tests');
  }

  provisioner(): never {
    throw new Error('not part of these tests');
  }

  query(): never {
    throw new Error('not part of these tests');
  }

  close(): void {
    this.requests.length = 0;
  }
}

/** Never answers, until it is given up. */
function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

const QUICK: WriterOptions = {
  batchMilliseconds: 10,
  retry: { first: 5, longest: 20 },
  configuration: { first: 5, longest: 20 },
};

let server: FakeServer;
let store: Store;
let queue: PointQueue;
let writer: Writer;
let directory: string;
const written: WrittenBatch[] = [];
const refused: RefusedPoint[] = [];

async function openQueue(): Promise<void> {
  store = await Store.open(directory);
  queue = await PointQueue.open(store, 'server', { limitBytes: 1e9 });
}

function startWriter(options: WriterOptions = QUICK): void {
  writer = new Writer(queue, server, options);
  writer.onWritten((batch) => written.push(batch));
  writer.onRefused((point) => refused.push(point));
  writer.start();
}

beforeEach(async () => {
  server = new FakeServer();
  directory = tempDirectory('writer');
  written.length = 0;
  refused.length = 0;
  await openQueue();
});

afterEach(async () => {
  await writer.close();
  await queue.close();
  await store.close();
});

/** Resolves when all are on the disk. */
function accept(lines: string[], bucket = 'raw', origin = 'node'): Promise<unknown> {
  return Promise.all(
    lines.map(
      (line) =>
        new Promise<void>((resolve, reject) => {
          queue.accept(bucket, 'sensor', origin, line, (error) => (error ? reject(error) : resolve()));
        }),
    ),
  );
}

function lines(count: number, name = 'm'): string[] {
  return Array.from({ length: count }, (_, index) => `${name},d=${index % 7} f=${index}i ${1000 + index}`);
}

async function untilQueued(points: number): Promise<void> {
  await until(
    `${points} points are queued`,
    () => queue.totals().queuedPoints,
    (queued) => queued === points,
  );
}

describe('Writer', () => {
  test('writes what the queue holds and what comes into it, and says so by node', async () => {
    await accept(lines(3, 'before'), 'raw', 'a');
    startWriter();
    await untilQueued(0);
    await accept(lines(4, 'after'), 'raw', 'b');
    await untilQueued(0);
    expect(server.stored).toEqual(new Set([...lines(3, 'before'), ...lines(4, 'after')]));
    await until('both batches are reported', () => written.length === 2);
    expect(written).toMatchObject([
      { origin: 'a', bucket: 'raw', points: 3 },
      { origin: 'b', bucket: 'raw', points: 4 },
    ]);
    expect(queue.totals()).toMatchObject({ written: 7, refused: 0 });
  });

  test('sends full batches', async () => {
    await accept(lines(2500));
    startWriter({ ...QUICK, batchLines: 1000 });
    await untilQueued(0);
    expect(server.requests.every((request) => request.lines.length <= 1000)).toBe(true);
    expect(server.requests.length).toBeLessThan(6);
    expect(server.stored.size).toBe(2500);
  });

  test('keeps on trying while the server is away, and reports its reason', async () => {
    let attempts = 0;
    server.script = () => (++attempts < 4 ? { kind: 'retry', reason: 'away' } : { kind: 'written' });
    startWriter();
    const states: string[] = [];
    writer.onState(({ state, reason }) => states.push(reason === undefined ? state : `${state}: ${reason}`));
    await accept(lines(2));
    await untilQueued(0);
    expect(server.stored.size).toBe(2);
    await until('it is idle again', () => writer.states().get('raw')?.state === 'idle');
    expect(states).toEqual(['writing', 'retrying: away', 'writing', 'idle']);
  });

  test('waits as long as the server wishes', async () => {
    server.script = () => ({ kind: 'retry', reason: 'busy', retryAfter: 1000 });
    startWriter();
    const before = Date.now();
    await accept(lines(1));
    const state = await until(
      'it waits',
      () => writer.states().get('raw'),
      (seen) => seen?.state === 'retrying',
    );
    expect(state?.nextAttempt).toBeGreaterThanOrEqual(before + 1_000_000);
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    ['waits on where the server has said how long', 1000, 1],
    ['is tried at once where it has not', undefined, 2],
  ])('when another bucket recovers, a bucket %s', async (_, retryAfter, requests) => {
    server.script = () => ({ kind: 'retry', reason: 'busy', ...(retryAfter !== undefined && { retryAfter }) });
    startWriter({ ...QUICK, retry: { first: 1_000_000, longest: 1_000_000 } });
    await accept(lines(1));
    await until('it waits', () => writer.states().get('raw')?.state === 'retrying');
    server.script = () => ({ kind: 'retry', reason: 'away', retryAfter: 0.001 });
    await accept(lines(1, 'other'), 'events');
    await until('the other one waits too', () => writer.states().get('events')?.state === 'retrying');
    server.script = () => ({ kind: 'written' });
    await until('the other one is idle', () => writer.states().get('events')?.state === 'idle');
    if (requests > 1) await untilQueued(0);
    expect(server.requests.filter(({ bucket }) => bucket === 'raw')).toHaveLength(requests);
    expect(writer.states().get('raw')?.state).toBe(requests > 1 ? 'idle' : 'retrying');
  });

  test('holds the points of a bucket that needs an operator, while another bucket flows', async () => {
    let isMissing = true;
    server.script = (bucket) =>
      isMissing && bucket === 'raw' ? { kind: 'configuration', reason: 'bucket "raw" not found' } : { kind: 'written' };
    startWriter();
    await accept(lines(5), 'raw');
    await accept(lines(7, 'other'), 'events');
    await untilQueued(5);
    expect(writer.states().get('raw')).toMatchObject({ state: 'configuration', reason: 'bucket "raw" not found' });
    isMissing = false;
    await untilQueued(0);
    expect(server.stored.size).toBe(12);
  });

  test('a request that hangs holds up its own bucket only, and a close ends it at once', async () => {
    server.script = (bucket, _, signal) => (bucket === 'raw' ? hang(signal) : { kind: 'written' });
    startWriter();
    await accept(lines(5), 'raw');
    await accept(lines(7, 'other'), 'events');
    await untilQueued(5);
    await until('the request is under way', () => server.requests.some(({ bucket }) => bucket === 'raw'));
    await writer.close();
    expect(queue.totals()).toMatchObject({ queuedPoints: 5, written: 7 });
    expect(queue.waiting('raw')).toBe(5);
  });

  test('a close ends a long wait', async () => {
    server.script = () => ({ kind: 'retry', reason: 'away', retryAfter: 3600 });
    startWriter();
    await accept(lines(5));
    await until('it waits', () => writer.states().get('raw')?.state === 'retrying');
    await writer.close();
    expect(queue.waiting('raw')).toBe(5);
  });

  test('reports a refused line once, with its node and the reason of the server, and stores the others', async () => {
    const bad = 'm,d=x f=1.5 99';
    server.script = (_, request) => {
      if (!request.includes(bad)) return { kind: 'written' };
      for (const line of request) if (line !== bad) server.stored.add(line);
      const reason =
        'partial write: field type conflict: input field "f" on measurement "m" is type float, already exists as type integer dropped=1';
      return { kind: 'partly-written', reason };
    };
    await accept(lines(20), 'raw', 'good');
    await accept([bad], 'raw', 'bad');
    startWriter();
    await untilQueued(0);
    expect(refused).toEqual([
      {
        origin: 'bad',
        bucket: 'raw',
        line: bad,
        point: {
          bucket: 'raw',
          measurement: 'm',
          tags: { d: 'x' },
          fields: { f: { type: 'float', value: 1.5 } },
          time: '99',
        },
        reason: 'field type conflict: input field "f" on measurement "m" is type float, already exists as type integer',
      },
    ]);
    expect(queue.totals('bad')).toMatchObject({ refused: 1, written: 0 });
    expect(queue.totals('good')).toMatchObject({ refused: 0, written: 20 });
    expect(server.stored).toEqual(new Set(lines(20)));
  });

  test('reports nothing and removes nothing before the whole batch has been resolved', async () => {
    const bad = 'm f=1.5 99';
    server.script = (_, request, signal) => {
      if (request.length === 21) return { kind: 'refused', reason: `unable to parse '${bad}': invalid number` };
      return hang(signal);
    };
    await accept([...lines(20), bad]);
    startWriter();
    await until('the rest is under way', () => server.requests.length === 2);
    expect(refused).toEqual([]);
    await writer.close();
    expect(queue.waiting('raw')).toBe(21);

    server.script = (_, request) =>
      request.includes(bad)
        ? { kind: 'refused', reason: `unable to parse '${bad}': invalid number` }
        : { kind: 'written' };
    startWriter();
    await untilQueued(0);
    expect(refused).toMatchObject([{ line: bad, reason: 'unable to parse: invalid number' }]);
    expect(server.stored).toEqual(new Set(lines(20)));
  });

  test('splits what is too large, and does not send as much again', async () => {
    const limit = 2000;
    server.script = (_, request) =>
      request.join('\n').length > limit
        ? { kind: 'too-large', reason: 'Request Entity Too Large' }
        : { kind: 'written' };
    await accept(lines(500));
    startWriter();
    await untilQueued(0);
    expect(server.stored.size).toBe(500);
    const before = server.requests.length;
    await accept(lines(500, 'next'));
    await untilQueued(0);
    expect(server.stored.size).toBe(1000);
    const after = server.requests.slice(before);
    expect(after.every((request) => request.lines.join('\n').length <= limit)).toBe(true);
    expect(refused).toEqual([]);
  });

  test('a line that is itself too large is refused, the others are stored', async () => {
    const large = `m f="${'x'.repeat(3000)}" 5`;
    server.script = (_, request) =>
      request.join('\n').length > 2000
        ? { kind: 'too-large', reason: 'Request Entity Too Large' }
        : { kind: 'written' };
    await accept([...lines(100), large, ...lines(100, 'n')]);
    startWriter();
    await untilQueued(0);
    expect(refused).toMatchObject([{ line: large, reason: 'Request Entity Too Large' }]);
    expect(server.stored.size).toBe(200);
  });

  test('sends less after a request has broken off, and all again when that works', async () => {
    server.script = (_, request) =>
      request.length > 100 ? { kind: 'retry', reason: 'no answer within 30 s', brokeOff: true } : { kind: 'written' };
    await accept(lines(400));
    startWriter();
    await untilQueued(0);
    expect(server.stored.size).toBe(400);
    server.script = () => ({ kind: 'written' });
    await accept(lines(400, 'next'));
    await untilQueued(0);
    const before = server.requests.length;
    await accept(lines(400, 'last'));
    await untilQueued(0);
    expect(server.requests.length - before).toBe(1);
  });

  test('what was written but not yet off the queue is written again after a restart: nothing is lost', async () => {
    await accept(lines(50));
    server.script = (_, request, signal) => {
      for (const line of request) server.stored.add(line);
      return hang(signal);
    };
    startWriter();
    await until('the request is under way', () => server.requests.length === 1);
    await writer.close();
    await queue.close();
    await store.close();
    await openQueue();
    server.script = () => ({ kind: 'written' });
    startWriter();
    await untilQueued(0);
    expect(server.stored.size).toBe(50);
    expect(queue.totals()).toMatchObject({ recovered: 50, written: 50 });
  });

  describe('no answer keeps good lines waiting for ever', () => {
    const page = 'the server answers HTTP 403';
    const answers: [string, WriteOutcome][] = [
      ['the page of a proxy', { kind: 'configuration', reason: page, isAnswer: true }],
      ['an unknown 400', { kind: 'configuration', reason: 'nobody knows (HTTP 400)', isAnswer: true }],
      ['500', { kind: 'retry', reason: 'internal error (HTTP 500)', isAnswer: true }],
      ['a closed connection', { kind: 'retry', reason: 'closed the connection', brokeOff: true }],
    ];

    function isBad(line: string): boolean {
      return line.startsWith('bad');
    }

    test.each(answers)('%s for some lines of a batch', async (_, answer) => {
      server.script = (__, request) => (request.some(isBad) ? answer : { kind: 'written' });
      const bad = lines(3, 'bad');
      await accept([...bad, ...lines(300), ...lines(2, 'bad2'), ...lines(100, 'after')]);
      startWriter({ ...QUICK, batchLines: 1000 });
      await untilQueued(0);
      expect(server.stored).toEqual(new Set([...lines(300), ...lines(100, 'after')]));
      expect(refused.map(({ line }) => line)).toEqual([...bad, ...lines(2, 'bad2')]);
      for (const { reason } of refused)
        expect(reason).toContain(answer.kind === 'retry' || answer.kind === 'configuration' ? answer.reason : '');
    });

    test.each(answers)('%s for a whole batch, with good lines only behind it', async (_, answer) => {
      server.script = (__, request) => (request.some(isBad) ? answer : { kind: 'written' });
      await accept(lines(8, 'bad'));
      await accept(lines(4));
      startWriter({ ...QUICK, batchLines: 8 });
      await untilQueued(0);
      expect(server.stored).toEqual(new Set(lines(4)));
      expect(refused).toHaveLength(8);
    });

    test.each(answers)('%s for everything: all of it waits', async (_, answer) => {
      server.script = () => answer;
      await accept(lines(20));
      startWriter();
      await until('it has been tried often', () => server.requests.length >= 60);
      expect(refused).toEqual([]);
      expect(queue.totals().queuedPoints).toBe(20);
      server.script = () => ({ kind: 'written' });
      await untilQueued(0);
      expect(server.stored).toEqual(new Set(lines(20)));
    });

    test('a line that is alone and breaks the connection each time while the server answers to ping', async () => {
      server.script = () => ({ kind: 'retry', reason: 'closed the connection', brokeOff: true });
      await accept(lines(1, 'bad'));
      startWriter();
      await untilQueued(0);
      expect(refused).toMatchObject([{ reason: 'no answer to this line: closed the connection' }]);
      expect(server.requests.length).toBeGreaterThanOrEqual(7);
    });

    test('a line that is alone waits for a server that is down or starts again', async () => {
      server.up = false;
      server.script = () => ({ kind: 'retry', reason: 'closed the connection', brokeOff: true });
      await accept(lines(1));
      startWriter();
      await until('it has been tried often', () => server.requests.length >= 20);
      expect(refused).toEqual([]);
      server.script = () => ({ kind: 'written' });
      await untilQueued(0);
      expect(refused).toEqual([]);
    });

    test('what the server says itself is for later is no fault of a line', async () => {
      server.script = (_, request) =>
        request.some(isBad) ? { kind: 'retry', reason: 'busy', isAnswer: true, retryAfter: 0 } : { kind: 'written' };
      await accept([...lines(5), ...lines(1, 'bad')]);
      startWriter();
      await until('it has been tried often', () => server.requests.length >= 10);
      expect(refused).toEqual([]);
    });
  });

  test('a request has no more than 8 MiB, whatever characters are in its lines', async () => {
    const long = Array.from({ length: 60 }, (_, index) => `m s="${'€'.repeat(60_000)}" ${index}`);
    await accept(long);
    startWriter({ ...QUICK, batchLines: 1000, batchMilliseconds: 500 });
    await untilQueued(0);
    const sizes = server.requests.map((request) => Buffer.byteLength(request.lines.join('\n')));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(server.stored.size).toBe(60);
  });

  test('a write that fails in an unforeseen way is tried again', async () => {
    let attempts = 0;
    server.script = () => {
      attempts += 1;
      if (attempts < 3) throw new Error('unforeseen');
      return { kind: 'written' };
    };
    startWriter();
    await accept(lines(5));
    await untilQueued(0);
    expect(server.stored.size).toBe(5);
  });
});
