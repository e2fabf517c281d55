import { sumBytes, type EncodedChunk, type HeldChunk } from './commit';
import type { Priority } from './keys';
import type { Lane } from './lane';
import { oldestKnown, peek } from './lane-reader';
import type { Store } from './store';

/** What is to be done so that the queue stays within its limit. */
export interface Room {
  /** Fit into the queue. */
  admitted: EncodedChunk[];
  /** Do not. */
  refused: EncodedChunk[];
  /** Stored chunks that must go. They are held; it is for the caller to remove or release them. */
  drops: HeldChunk[];
}

/**
 * Finds room for chunks in a queue that has `free` bytes left. The oldest sensor points give way first. If that is not
 * enough, new sensor points are refused: no event is dropped for them. For new events the oldest events give way at last.
 *
 * @throws PackError `store-unavailable`
 */
export async function makeRoom(
  store: Store,
  lanes: readonly Lane[],
  added: readonly EncodedChunk[],
  free: number,
): Promise<Room> {
  const room: Room = { admitted: [...added], refused: [], drops: [] };
  let missing = sumBytes(added.map(({ head }) => head)) - free;
  if (missing <= 0) return room;
  try {
    for (const priority of ['sensor', 'event'] as const) {
      const drops = await chooseDrops(store, lanes, priority, missing);
      room.drops.push(...drops);
      missing -= sumBytes(drops.map(({ chunk }) => chunk));
      for (let index = room.admitted.length - 1; index >= 0 && missing > 0; index--) {
        const chunk = room.admitted[index];
        if (chunk?.head.priority !== priority) continue;
        room.admitted.splice(index, 1);
        room.refused.push(chunk);
        missing -= chunk.head.bytes;
      }
      // Events give way to events only.
      if (missing <= 0) break;
    }
  } catch (error) {
    for (const { lane, chunk } of room.drops) lane.release(chunk);
    throw error;
  }
  return room;
}

/**
 * Chooses the oldest waiting chunks of a priority, over all buckets, until they have at least so many bytes or no more
 * wait. Chunks that are being written to InfluxDB are passed over. The chosen are held, so that nobody takes them.
 */
async function chooseDrops(
  store: Store,
  lanes: readonly Lane[],
  priority: Priority,
  bytes: number,
): Promise<HeldChunk[]> {
  const drops: HeldChunk[] = [];
  const candidates = lanes.filter((lane) => lane.priority === priority);
  try {
    for (let left = bytes; left > 0;) {
      for (const lane of candidates) await peek(store, lane);
      // From here to hold() nothing may be awaited: somebody might take the chunk.
      const oldest = oldestOf(candidates);
      if (oldest === undefined) break;
      const { lane, chunk } = oldest;
      lane.hold(chunk);
      lane.cursor = Math.max(lane.cursor, chunk.sequence + 1);
      drops.push(oldest);
      left -= chunk.bytes;
    }
  } catch (error) {
    for (const { lane, chunk } of drops) lane.release(chunk);
    throw error;
  }
  return drops;
}

function oldestOf(lanes: readonly Lane[]): HeldChunk | undefined {
  let oldest: HeldChunk | undefined;
  for (const lane of lanes) {
    const chunk = oldestKnown(lane);
    if (chunk !== undefined && (oldest === undefined || chunk.acceptedAt < oldest.chunk.acceptedAt)) {
      oldest = { lane, chunk };
    }
  }
  return oldest;
}
