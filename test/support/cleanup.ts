import { afterAll } from 'vitest';

type Task = () => void | Promise<void>;
const tasks: Task[] = [];

/** Has `task` run when the test file has ended, passed or failed; the last one registered runs first. */
export function atEndOfFile(task: Task): void {
  tasks.push(task);
}

// Registered while the test file is collected, so it runs after the file's own hooks: those were registered later.
afterAll(async () => {
  const faults: unknown[] = [];
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    try {
      await task();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw new AggregateError(faults, 'cleaning up after the test file failed');
}, 60_000);
