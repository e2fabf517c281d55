import { defineConfig } from 'vitest/config';

/** `npm run torture` runs the same tests at the numbers of a long campaign. */
const patience = process.env['TORTURE'] === '1' ? 40 : 1;

/** Most of a test with servers is waiting for them: two files at once share even two cores well. The campaigns get all. */
const maxWorkers = patience === 1 ? 2 : 1;

/** Time limits end what hangs; none is near what a test takes on a busy machine. */
/** A tier a project: `unit` needs nothing but Node; the others run the real parts and are started by test/run.mjs. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 * patience, maxWorkers } },
      {
        test: {
          name: 'nodes',
          include: ['test/nodes/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 180_000 * patience,
          hookTimeout: 60_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'editor',
          include: ['test/editor/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'pack',
          include: ['test/pack/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
