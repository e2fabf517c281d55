import { count, shortened, type StatusView } from '../lib/runtime/status';
import { isInOrder, type Drift } from './drift';

/** What the status of `influx-provision` is made of. */
export interface ProvisionState {
  working: 'plan' | 'apply' | undefined;
  /** Why the last plan could not be made or not be applied, if so. */
  failure: string | undefined;
  /** As last seen; undefined: not yet. */
  drift: Drift | undefined;
}

/** As in core: the words of the catalogue, `influx-provision.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/**
 * The status that tells an operator most: what is broken, what is being done, then what is not in order.
 *
 * @param unwritable - why points cannot be written there now, if so: what was last seen may not be so any more
 */
export function provisionView(
  { working, failure, drift }: Readonly<ProvisionState>,
  text: Translate,
  unwritable?: string,
): StatusView {
  if (working !== undefined) return { intent: 'working', text: text(working) };
  if (failure !== undefined) return { intent: 'trouble', text: shortened(failure) };
  if (!drift) return { intent: 'idle', text: text('waiting') };
  const differences = (['missing', 'different', 'surplus'] as const)
    .filter((name) => drift[name] > 0)
    .map((name) => text(name, { count: count(drift[name]) }));
  if (!isInOrder(drift)) return { intent: 'trouble', text: differences.join(' · ') };
  if (unwritable !== undefined) return { intent: 'trouble', text: shortened(unwritable) };
  return { intent: 'ok', text: [text('in-order'), ...differences].join(' · ') };
}
