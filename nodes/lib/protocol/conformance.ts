/**
 * Conformance driver: reads JSON lines `{"key": "<base64>", "message": "<text>"}` on standard input and writes one line
 * `{"verdict", "canonical"?}` for each. A line that is no such case is malformed, like the message it should have held.
 */
import { once } from 'node:events';
import { type Judgement, judge } from './judge';

function judgeLine(line: string): Judgement {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { verdict: 'malformed' };
  }
  if (typeof parsed !== 'object' || parsed === null || !('key' in parsed) || !('message' in parsed)) {
    return { verdict: 'malformed' };
  }
  const { key, message } = parsed;
  if (typeof key !== 'string' || typeof message !== 'string') return { verdict: 'malformed' };
  return judge(Buffer.from(key, 'base64'), message);
}

async function answer(lines: readonly string[]): Promise<void> {
  const answers = lines.filter((line) => line.trim() !== '').map((line) => `${JSON.stringify(judgeLine(line))}\n`);
  if (!process.stdout.write(answers.join(''))) await once(process.stdout, 'drain');
}

async function main(): Promise<void> {
  let unfinished: string[] = [];
  process.stdin.setEncoding('utf8');
  // Split at line feeds only: node:readline also splits at U+2028, which a JSON string may hold.
  for await (const chunk of process.stdin as AsyncIterable<string>) {
    const [first = '', ...others] = chunk.split('\n');
    unfinished.push(first);
    const last = others.pop();
    if (last === undefined) continue;
    await answer([unfinished.join(''), ...others]);
    unfinished = [last];
  }
  await answer([unfinished.join('')]);
}

void main();
