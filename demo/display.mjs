import { describe, readCounts } from './metrics.mjs';

const TERMINAL_SECONDS = 1;
const LOG_SECONDS = 5;
/** Of a terminal that does not know its own. */
const WIDTH = 80;

/** Shows the counts until it is told to stop: on one line of a terminal, or as a line every few seconds. */
export function showCounts(nodeRed) {
  const { isTTY } = process.stdout;
  const show = async () => {
    const counts = await readCounts(nodeRed).catch(() => undefined);
    if (!counts || stopped) return;
    const text = describe(counts);
    if (isTTY) process.stdout.write(`\r\x1b[K${text.slice(0, (process.stdout.columns || WIDTH) - 1)}`);
    else console.log(text);
  };
  let stopped = false;
  const timer = setInterval(show, (isTTY ? TERMINAL_SECONDS : LOG_SECONDS) * 1000);
  return () => {
    if (stopped) return;
    stopped = true;
    clearInterval(timer);
    if (isTTY) process.stdout.write('\n');
  };
}

/** A line of its own, above the counts. */
export function say(text) {
  console.log(process.stdout.isTTY ? `\r\x1b[K${text}` : text);
}
