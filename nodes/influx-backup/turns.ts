const last = new Map<string, Promise<void>>();

/**
 * Does one thing after the other: all that have the same key, whichever node they are of. Who is aborted does not wait.
 *
 * @throws what `work` throws, or the signal's reason
 */
export async function inTurn<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = last.get(key) ?? Promise.resolve();
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const turn = before.then(() => ended);
  last.set(key, turn);
  try {
    await untilAborted(before, signal);
    return await work();
  } finally {
    end();
    if (last.get(key) === turn) last.delete(key);
  }
}

async function untilAborted(before: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([before, aborted]);
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
}
