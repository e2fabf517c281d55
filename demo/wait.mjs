import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again and again until the answer is neither undefined nor false, and returns it.
 * Returns undefined when the time is over. What the question throws counts as "not yet".
 */
export async function waitFor(question, { seconds, every = 100 }) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await Promise.resolve()
      .then(question)
      .catch(() => undefined);
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() >= end) return undefined;
    await sleep(every);
  }
}
