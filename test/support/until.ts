export interface UntilOptions {
  /** Milliseconds until the wait is given up. Default: 20 s. */
  deadline?: number;
  /** Milliseconds between two looks. Default: 25 ms. */
  interval?: number;
}

function shown(value: unknown): string {
  if (value instanceof Error) return value.stack ?? value.message;
  const text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  return (text ?? String(value)).slice(0, 2000);
}

/**
 * Looks again and again until `accept` likes what it sees (by default: anything truthy) and returns that.
 * A look that throws counts as not yet. The error of a missed deadline says what was seen last.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  accept: (seen: T) => boolean = Boolean,
  options: UntilOptions = {},
): Promise<T> {
  const { deadline = 20_000, interval = 25 } = options;
  const end = Date.now() + deadline;
  for (;;) {
    let last: unknown;
    try {
      const seen = await look();
      if (accept(seen)) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) throw new Error(`waited ${deadline} ms until ${what}; last seen: ${shown(last)}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
