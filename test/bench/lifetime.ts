// Stands in for vitest when the bench is bundled: test/support hands its cleaning up to the end of a test file, here
// it is done at the end of the bench.
type Task = () => void | Promise<void>;
const tasks: Task[] = [];

export function afterAll(task: Task): void {
  tasks.push(task);
}

export async function cleanUp(): Promise<void> {
  for (const task of tasks.splice(0)) await task();
}
