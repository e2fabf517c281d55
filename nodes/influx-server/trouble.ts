import type { Delivery } from './delivery';

/** What keeps points from being written: the server's own words, and whether only an operator can put it right. */
export interface Trouble {
  reason: string;
  needsOperator: boolean;
}

/** The worst that any bucket suffers from: what an operator must put right goes before what passes by itself. */
export function troubleOf({ buckets }: Pick<Delivery, 'buckets'>): Trouble | undefined {
  let trouble: Trouble | undefined;
  for (const { state, reason } of buckets.values()) {
    if (reason === undefined) continue;
    if (state === 'configuration') return { reason, needsOperator: true };
    if (state === 'retrying') trouble = { reason, needsOperator: false };
  }
  return trouble;
}
