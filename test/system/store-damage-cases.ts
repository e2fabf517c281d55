import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Journal } from '../../nodes/lib/action/journal';
import { systemClock } from '../../nodes/lib/action/clock';
import { Marks } from '../../nodes/lib/aggregate/marks';
import { KeptAlarms } from '../../nodes/lib/alarm/kept-alarms';
import { Packets } from '../../nodes/lib/mqtt/packets';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';
import { seededRandom } from '../support/campaign';

/** What became of a damaged store. */
export interface Examination {
  /** Reports of damage, and records that were put aside. */
  told: string[];
  /** Records that are not as they were, or not at all. */
  different: string[];
  /** What must never be. */
  faults: string[];
}

export interface Verdict extends Examination {
  index: number;
  what: string;
}

const SERVER = 's1';
export const RULE = { id: 'raw m 60000 averages', bucket: 'raw', measurement: 'm', every: 60_000, into: 'averages' };
/** Everything that this release writes. */
const ALL = { gte: '', lt: '~' };
/** These say how often the store was repaired, and what is in it now. */
const OWN = /^(lane|checked|aside)\/|^(repaired|format)$/;

const silent = { stepTaken: () => undefined, due: () => undefined, failed: () => undefined };

/** A copy of a store with one damage, which seed and index say. */
export function damagedCopy(
  template: string,
  folder: string,
  seed: number,
  index: number,
): { directory: string; what: string } {
  const directory = join(folder, 'store');
  mkdirSync(directory, { recursive: true });
  for (const file of readdirSync(template)) copyFileSync(join(template, file), join(directory, file));
  const random = seededRandom(seed + index * 7919);
  const pick = (most: number): number => Math.floor(random() * most);
  const damaged = readdirSync(directory)
    .filter((name) => !/^LO/.test(name))
    .sort();
  const file = damaged[pick(damaged.length)] ?? '';
  const path = join(directory, file);
  const bytes = readFileSync(path);
  const kind = pick(20);
  if (kind < 14) {
    const bit = pick(bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(path, bytes);
    return { directory, what: `bit ${bit} of ${file} flipped` };
  }
  if (kind < 16) {
    const length = pick(bytes.length);
    truncateSync(path, length);
    return { directory, what: `${file} cut off at ${length}` };
  }
  if (kind < 19) {
    const start = pick(Math.ceil(bytes.length / 512)) * 512;
    bytes.fill(0, start, Math.min(start + 512, bytes.length));
    writeFileSync(path, bytes);
    return { directory, what: `512 bytes of ${file} zeroed from ${start}` };
  }
  rmSync(path);
  return { directory, what: `${file} removed` };
}

/** All records of a store, by everybody's own code; what cannot be read is put aside by that. */
async function readAll(store: Store): Promise<{ queue: PointQueue; bodies: Map<string, string> }> {
  const marks = new Marks(SERVER);
  marks.enter('agg1');
  const queue = await PointQueue.open(store, SERVER, { limitBytes: 1e9, chunkMilliseconds: 1, companion: marks });
  (await KeptAlarms.open(store, 'alarms1')).close();
  const journal = await Journal.load(store, 'b1', silent, systemClock);
  await Packets.load(store, 'b1', journal, () => undefined);
  journal.close();
  const bodies = new Map<string, string>();
  for await (const page of store.pages(ALL)) for (const [key, body] of page) bodies.set(key, body.toString('base64'));
  return { queue, bodies };
}

/** Waits for a store that repairs itself meanwhile. */
async function untilRead(store: Store): Promise<{ queue: PointQueue; bodies: Map<string, string> }> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      return await readAll(store);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What a whole store holds. */
export async function contentOf(directory: string): Promise<Map<string, string>> {
  const store = await Store.open(directory, { retryMilliseconds: 10 });
  const { queue, bodies } = await untilRead(store);
  await queue.close();
  await store.close();
  return bodies;
}

const contents = new Map<string, Map<string, string>>();

async function templateContent(template: string): Promise<Map<string, string>> {
  const known = contents.get(template);
  if (known !== undefined) return known;
  const copy = `${template}-read-${process.pid}`;
  mkdirSync(copy);
  for (const file of readdirSync(template)) copyFileSync(join(template, file), join(copy, file));
  const content = await contentOf(copy);
  rmSync(copy, { recursive: true });
  contents.set(template, content);
  return content;
}

/** Opens a damaged store twice, uses it in between, and compares it with what was in it. The folder is removed. */
export async function examine(directory: string, template: string): Promise<Examination> {
  const before = await templateContent(template);
  const told: string[] = [];
  const faults: string[] = [];
  const different: string[] = [];
  const open = async (): Promise<Store> => {
    const store = await Store.open(directory, { retryMilliseconds: 10 });
    store.listen({
      damaged: ({ reason }) => told.push(reason),
      putAside: ({ kind, records }) => told.push(`${records} of ${kind} put aside`),
    });
    return store;
  };
  try {
    const store = await open();
    const { queue, bodies } = await untilRead(store);
    for (const [key, body] of before) if (!OWN.test(key) && bodies.get(key) !== body) different.push(key);
    for (const key of bodies.keys()) if (!OWN.test(key) && !before.has(key)) different.push(`${key} (new)`);
    const error = await new Promise<Error | undefined>((resolve) =>
      queue.accept('raw', 'sensor', 'w1', 'm v=99 99', resolve),
    );
    if (error !== undefined) faults.push(`takes no points: ${error.message}`);
    // Sums hold, and what was there is still there.
    const { accepted, recovered, written, refused, dropped, damaged, queuedPoints } = queue.totals();
    if (accepted + recovered !== written + refused + dropped + damaged + queuedPoints) faults.push('sums do not hold');
    let chunks = 0;
    for await (const page of store.pages({ gte: 'chunk/', lt: 'chunk0' })) {
      for (const [key, body] of page) {
        chunks++;
        if (bodies.has(key) && bodies.get(key) !== body.toString('base64')) faults.push(`${key} was overwritten`);
      }
    }
    const kept = [...bodies.keys()].filter((key) => key.startsWith('chunk/')).length;
    if (error === undefined && chunks !== kept + 1) faults.push(`${chunks} chunks of ${kept} and a new one`);
    await queue.close();
    await store.close();
    const reports = told.length;
    const again = await open();
    const second = await untilRead(again);
    for (const [key, body] of bodies)
      if (!OWN.test(key) && second.bodies.get(key) !== body) faults.push(`${key} is another after the next start`);
    await second.queue.close();
    await again.close();
    if (told.length > reports) faults.push(`damaged again at the next start: ${told.slice(reports).join()}`);
  } catch (error) {
    faults.push(`cannot be opened: ${String(error)}`);
  }
  if (different.length > 0 && told.length === 0) faults.push(`untold: ${different.join()}`);
  const folder = dirname(directory);
  rmSync(basename(folder) === 'store' ? directory : folder, { recursive: true, force: true });
  return { told, different, faults };
}
