import { createHash, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { parseJson } from '../store/json';
import { INSTALLATION_KEY } from '../store/keys';
import type { Store } from '../store/store';

/** MQTT 3.1.1 section 3.1.3.1: what every broker must accept is 23 letters and digits. */
const LENGTH = 23;
const PREFIX = 'm2i';

/** What is stored of an installation. */
interface Installation {
  id: string;
  /** The folder in which it was made. */
  place: string;
}

/** Asked for by several brokers at once, a store must not get two. */
const installations = new WeakMap<Store, Promise<string>>();

/**
 * The client id of the pack's own session at a broker: the same after every restart, and no other installation's. A copy of
 * the user directory, or one that was put back from a backup, is another installation: what it holds of a session is not
 * what the broker holds of it.
 *
 * @param broker - id of the broker node
 * @throws PackError `store-unavailable`
 */
export async function ownClientId(store: Store, broker: string): Promise<string> {
  const known = installations.get(store) ?? installationOf(store);
  installations.set(store, known);
  known.catch(() => installations.delete(store));
  const digest = createHash('sha256')
    .update(await known)
    .update(broker)
    .digest('hex');
  return `${PREFIX}${digest}`.slice(0, LENGTH);
}

async function installationOf(store: Store): Promise<string> {
  const place = await placeOf(store.directory);
  const stored = decode(await store.get(INSTALLATION_KEY));
  if (stored?.place === place) return stored.id;
  const installation: Installation = { id: randomBytes(16).toString('hex'), place };
  const value = Buffer.from(JSON.stringify(installation));
  await store.batch([{ type: 'put', key: INSTALLATION_KEY, value }], { sync: true });
  return installation.id;
}

/**
 * What a copy of a folder does not share with it: path and inode. The name of the host would tell two hosts apart, but a
 * container has a new one whenever it is made anew; its volume, and so the inode, stays.
 */
async function placeOf(directory: string): Promise<string> {
  const { ino } = await stat(directory, { bigint: true });
  return createHash('sha256').update(`${directory}\0${ino}`).digest('hex');
}

/** Undefined for what no release has written. */
function decode(value: Buffer | undefined): Installation | undefined {
  const stored = value && (parseJson(value) as Partial<Installation> | null | undefined);
  return typeof stored?.id === 'string' && typeof stored.place === 'string' ? (stored as Installation) : undefined;
}
