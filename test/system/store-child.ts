/** A process of its own that uses a store, for tests that kill it or keep it from the disk. Bundled by store-faults.test.ts. */
import { writeSync } from 'node:fs';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';

const [directory = '', first = '0'] = process.argv.slice(2);
/** Points of one turn of the event loop. */
const BURST = 40;

/** Reports at once, whatever happens to this process afterwards. */
function report(text: string): void {
  writeSync(1, `${text}\n`);
}

/** What is taken is reported as written before it is removed, as InfluxDB has it before it is removed. */
async function drain(queue: PointQueue): Promise<void> {
  for (;;) {
    const chunks = await queue.take('raw', 300);
    if (chunks.length === 0) return;
    report(`written ${chunks.map((chunk) => chunk.text().replaceAll('\n', ';')).join(';')}`);
    await queue.remove(chunks);
  }
}

async function main(): Promise<void> {
  const store = await Store.open(directory);
  const queue = await PointQueue.open(store, 'server', { limitBytes: 1e9 });
  report('open');
  let next = Number(first);
  const acceptBurst = (): void => {
    for (let count = 0; count < BURST; count++) {
      const line = `m v=${next} ${next++}`;
      queue.accept('raw', 'sensor', 'w1', line, (error) => report(error ? `failed ${error.code}` : `stored ${line}`));
    }
    setTimeout(acceptBurst, 1);
  };
  acceptBurst();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await drain(queue);
  }
}

main().catch((error: unknown) => {
  report(`ended ${error instanceof Error && 'code' in error ? String(error.code) : ''} ${String(error)}`);
  process.exitCode = 1;
});
