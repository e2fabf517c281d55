import {
  markKey,
  markRange,
  namesIn,
  rulesKey,
  rulesRange,
  stretchKey,
  stretchRange,
  type KeyRange,
} from '../store/keys';
import type { Store, StoreOperation } from '../store/store';
import { rangeText, rangeOf } from './stretch-record';

/** The ranges of what is kept of windows beside a queue. */
export function markRanges(queue: string): KeyRange[] {
  return [rulesRange(queue), markRange(queue), stretchRange(queue)];
}

/**
 * What is marked beside a queue is marked beside another too; neither may be open. The queue's points follow after that, and
 * what was copied can go at last: so no window is forgotten wherever it ends.
 *
 * @throws PackError `store-unavailable`
 */
export async function copyMarks(store: Store, from: string, to: string): Promise<void> {
  for await (const page of store.pages(rulesRange(from))) {
    const operations: StoreOperation[] = [];
    for (const [oldKey, value] of page) {
      const [node = ''] = namesIn(oldKey);
      const key = rulesKey(to, node);
      // A node that has rules there has said them later.
      if ((await store.get(key)) === undefined) operations.push({ type: 'put', key, value });
    }
    await store.batch(operations, { sync: true });
  }
  for await (const page of store.pages(markRange(from))) {
    const operations = page.map(([oldKey, value]): StoreOperation => {
      const [node = '', rule = '', start = ''] = namesIn(oldKey);
      return { type: 'put', key: markKey(to, node, rule, Number(start)), value };
    });
    await store.batch(operations, { sync: true });
  }
  for await (const page of store.pages(stretchRange(from))) {
    const operations: StoreOperation[] = [];
    for (const [oldKey, value] of page) {
      const [node = '', rule = '', start = ''] = namesIn(oldKey);
      const key = stretchKey(to, node, rule, Number(start));
      const there = rangeOf(await store.get(key));
      const moved = rangeOf(value);
      const both = { from: Math.min(there.from, moved.from), to: Math.max(there.to, moved.to) };
      operations.push({ type: 'put', key, value: rangeText(both) });
    }
    await store.batch(operations, { sync: true });
  }
}
