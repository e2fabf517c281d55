import { reasonOf } from '../errors';
import { touches, type Day, type TimeRange } from './days';
import { bucketDirectory, bucketsIn } from './layout';
import { daysOf, readManifest, type DayCopy, type FoundManifest, type Manifest } from './manifest';

/** The copies of one bucket. */
export interface BucketCopies {
  bucket: string;
  directory: string;
  /** Why nothing is known of them, if so: the manifest is missing or damaged. */
  fault?: string;
  days: { day: Day; copy: DayCopy }[];
}

/** Which copies are meant. */
export interface Selection {
  /** Of the server. */
  directory: string;
  /** Default: all that have copies. */
  bucket?: string | undefined;
  range?: TimeRange | undefined;
}

/**
 * The copies that are meant, the earliest day first.
 *
 * @throws Error when there are none of the bucket, or the directory cannot be read
 */
export async function selectCopies({ directory, bucket, range = {} }: Selection): Promise<BucketCopies[]> {
  const buckets = await bucketsIn(directory);
  if (bucket !== undefined && !buckets.includes(bucket)) {
    throw new Error(`there is no copy of the bucket "${bucket}" in ${directory}`);
  }
  const copies: BucketCopies[] = [];
  for (const each of bucket === undefined ? buckets : [bucket]) {
    const place = bucketDirectory(directory, each);
    const found = await readManifest(place).catch(unreadable);
    if (found.kind === 'found') {
      copies.push({ bucket: each, directory: place, days: within(found.manifest, range) });
      continue;
    }
    copies.push({ bucket: each, directory: place, days: [], fault: faultOf(found, place) });
  }
  return copies;
}

/** One that cannot be read must not hide the copies of the other buckets. */
function unreadable(error: unknown): { kind: 'unreadable'; reason: string } {
  return { kind: 'unreadable', reason: reasonOf(error) };
}

type NotFound = Exclude<FoundManifest, { kind: 'found' }> | ReturnType<typeof unreadable>;

function faultOf(found: NotFound, directory: string): string {
  if (found.kind === 'unreadable') return found.reason;
  const reason = found.kind === 'damaged' ? found.reason : `the manifest in ${directory} is missing`;
  return `${reason}; the next backup makes it anew`;
}

function within(manifest: Manifest, range: TimeRange): BucketCopies['days'] {
  return daysOf(manifest).flatMap((day) => {
    const copy = manifest.days[day];
    return copy && touches(day, range) ? [{ day, copy }] : [];
  });
}
