import { createHash, randomBytes } from 'node:crypto';
import { INSTALLATION_KEY } from '../store/keys';
import type { Store } from '../store/store';

/** MQTT 3.1.1 section 3.1.3.1: what every broker must accept is 23 letters and digits. */
const LENGTH = 23;
const PREFIX = 'm2i';

/** Asked for by several brokers at once, a store must not get two. */
const installations = new WeakMap<Store, Promise<Buffer>>();

/**
 * The client id of the pack's own session at a broker: the same after every restart, and no other installation's.
 *
 * @param broker - id of the broker node
 * @throws PackError `store-unavailable`
 */
export async function ownClientId(store: Store, broker: string): Promise<string> {
  const known = installations.get(store) ?? installationOf(store);
  installations.set(store, known);
  known.catch(() => installations.delete(store));
  const installation = await known;
  const digest = createHash('sha256').update(installation).update(broker).digest('hex');
  return `${PREFIX}${digest}`.slice(0, LENGTH);
}

async function installationOf(store: Store): Promise<Buffer> {
  const stored = await store.get(INSTALLATION_KEY);
  if (stored !== undefined) return stored;
  const installation = Buffer.from(randomBytes(16).toString('hex'));
  await store.batch([{ type: 'put', key: INSTALLATION_KEY, value: installation }], { sync: true });
  return installation;
}
