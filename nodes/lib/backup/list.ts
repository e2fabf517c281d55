import type { Day } from './days';
import { selectCopies, type Selection } from './select';

/** The copies of one bucket, as an operator wants to see them. */
export interface BucketList {
  bucket: string;
  points: number;
  bytes: number;
  days: { day: Day; points: number; bytes: number; first: string; last: string; written: string; file: string }[];
  /** Why nothing is known of the copies, if so. */
  fault?: string;
}

/** Says what copies there are, without reading them. */
export async function listCopies(selection: Selection): Promise<BucketList[]> {
  const lists: BucketList[] = [];
  for (const { bucket, days, fault } of await selectCopies(selection)) {
    lists.push({
      bucket,
      points: days.reduce((sum, { copy }) => sum + copy.points, 0),
      bytes: days.reduce((sum, { copy }) => sum + copy.bytes, 0),
      days: days.map(({ day, copy: { points, bytes, first, last, written, file } }) => ({
        day,
        points,
        bytes,
        first,
        last,
        written,
        file,
      })),
      ...(fault !== undefined && { fault }),
    });
  }
  return lists;
}
