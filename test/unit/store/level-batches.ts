import { ClassicLevel } from 'classic-level';
import { vi } from 'vitest';

/** A batch as it reaches LevelDB. */
export interface LevelBatch {
  operations: unknown[];
  sync: boolean;
  apply: () => Promise<void>;
}

type Batch = (this: ClassicLevel, operations: unknown[], options: { sync: boolean }) => Promise<void>;

/** Puts `handler` before LevelDB, until the mocks are restored. */
export function interceptBatches(handler: (batch: LevelBatch) => Promise<void>): void {
  const original = Reflect.get(ClassicLevel.prototype, 'batch') as Batch;
  const replacement: Batch = function (operations, { sync }) {
    return handler({ operations, sync, apply: () => Reflect.apply(original, this, [operations, { sync }]) });
  };
  vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementation(replacement as never);
}

/** How a batch fails: without a trace, or only after it has been applied, as when fsync fails. */
export type Failure = 'lost' | 'applied';

/** Lets LevelDB fail as on a full disk. `failNext` sets what becomes of the next batch that is written. */
export function failingBatches(): { failNext(failure: Failure): void; failAll(failing: boolean): void } {
  let next: Failure | undefined;
  let all = false;
  interceptBatches(async ({ apply }) => {
    const failure = all ? 'lost' : next;
    next = undefined;
    if (failure !== 'lost') await apply();
    if (failure === undefined) return;
    throw Object.assign(new Error('IO error: 000003.log: No space left on device'), { code: 'LEVEL_IO_ERROR' });
  });
  return {
    failNext: (failure) => {
      next = failure;
    },
    failAll: (failing) => {
      all = failing;
    },
  };
}
