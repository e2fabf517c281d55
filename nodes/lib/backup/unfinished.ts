import { bucketDirectory, bucketsIn } from './layout';
import { readManifest } from './manifest';
import { interrupted } from './resume';

/** Whether a backup of this server was interrupted, less long ago than after which it would begin anew. */
export async function isUnfinished(serverDirectory: string): Promise<boolean> {
  for (const bucket of await bucketsIn(serverDirectory)) {
    const found = await readManifest(bucketDirectory(serverDirectory, bucket));
    if (found.kind === 'found' && interrupted(found.manifest) !== undefined) return true;
  }
  return false;
}
