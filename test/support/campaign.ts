import type { Runtime } from './node-red';

/** Whether this is `npm run torture`: the same tests at the numbers of a long campaign. */
export const torture = process.env['TORTURE'] === '1';

/** How often, how many: for `npm test`, and for the long campaign. */
export function rounds(normal: number, long: number): number {
  return torture ? long : normal;
}

/** The seed of everything random in the tests; TEST_SEED repeats a run. */
export const seed = Number(process.env['TEST_SEED'] ?? 1);

/** Mulberry32: numbers from 0 up to 1, the same ones for the same seed. */
export function seededRandom(from = seed): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Both Node-RED versions in the long campaign; `npm test` runs what does not depend on the version on one of them. */
export function runtimes(normal: Runtime): Runtime[] {
  return torture ? ['4', '5'] : [normal];
}
