/** LevelDB's own errors, by what can be done about them. `miscounted`: the queue's, see `Store.distrust`. */
export type Fault = 'locked' | 'damaged' | 'miscounted' | 'other';

/** The code of the error that {@link kindOfFault} takes for `miscounted`. */
export const MISCOUNTED = 'STORE_MISCOUNTED';

/** Tells from what LevelDB reports, on opening, reading or writing, whether files are damaged. */
export function kindOfFault(error: unknown): Fault {
  const { code, message } = innermost(error);
  if (code === 'LEVEL_LOCKED') return 'locked';
  if (code === MISCOUNTED) return 'miscounted';
  if (code === 'LEVEL_CORRUPTION') return 'damaged';
  // A table that is shorter than its index says, that has vanished, or that lies on a bad sector.
  if (/\.(ldb|sst): (Invalid argument|No such file|Input\/output error)/.test(message)) return 'damaged';
  return 'other';
}

/** What LevelDB said, without the "Database failed to open" around it. */
export function innermost(error: unknown): { code: unknown; message: string } {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (!(inner instanceof Error)) return { code: undefined, message: String(inner) };
  return { code: 'code' in inner ? inner.code : undefined, message: inner.message };
}
