import { bucketDirectory, bucketsIn } from './layout';
import { readManifest } from './manifest';
import { beginning } from './resume';

/** Whether a backup of this server was interrupted, less long ago than after which it would begin anew. */
export async function isUnfinished(serverDirectory: string): Promise<boolean> {
  for (const bucket of await bucketsIn(serverDirectory)) {
    const found = await readManifest(bucketDirectory(serverDirectory, bucket));
    if (found.kind !== 'found' || found.manifest.unfinished === undefined) continue;
    if (beginning(found.manifest) === found.manifest.unfinished) return true;
  }
  return false;
}
