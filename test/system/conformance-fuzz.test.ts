import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canonicalText } from '../../nodes/lib/protocol/canonical';
import { scanMessage } from '../../nodes/lib/protocol/scan';
import { rounds, seed, seededRandom } from '../support/campaign';

const python = process.env['TEST_PYTHON'] ?? 'python3';
const root = join(__dirname, '../..');
const oracle = join(root, 'test/vectors/oracle.py');
/** The driver as it is shipped; the build comes before this tier. */
const driver = join(root, 'dist/lib/protocol/conformance.js');
const SEEDS = rounds(5, 10);
const CASES_A_SEED = rounds(1000, 10_000);

interface Case {
  key: string;
  message: string;
  canonical: string;
  ok: boolean;
}

interface Answer {
  verdict: string;
  canonical?: string;
}

/** Runs a program that reads and writes JSON lines, to its end. */
function linesOf<T>(command: string, args: string[], input: readonly object[] = []): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.on('error', reject).on('close', (code) => {
      const lines = output.split('\n').filter((line) => line !== '');
      if (code === 0) resolve(lines.map((line) => JSON.parse(line) as T));
      else reject(new Error(`${command} ${args.join(' ')} ended with ${String(code)}`));
    });
    child.stdin.end(input.map((line) => `${JSON.stringify(line)}\n`).join(''));
  });
}

/** What Python writes for JSON texts. */
async function canonicalByPython(texts: readonly string[]): Promise<(string | undefined)[]> {
  const lines = texts.map((text) => ({ text }));
  const answers = await linesOf<{ canonical?: string }>(python, [oracle, 'canonical'], lines);
  return answers.map(({ canonical }) => canonical);
}

test.each(Array.from({ length: SEEDS }, (_, index) => seed + index))(
  `${CASES_A_SEED} random cases, seed %d: verdict and canonical text of the Python reference`,
  async (fuzzSeed) => {
    const cases = await linesOf<Case>(python, [oracle, 'fuzz', String(fuzzSeed), String(CASES_A_SEED)]);
    expect(cases).toHaveLength(CASES_A_SEED);
    const answers = await linesOf<Answer>(process.execPath, [driver], cases);
    expect(answers).toHaveLength(CASES_A_SEED);

    // Not from the case: a tampered payload is not what the generator had signed.
    const canonical = await canonicalByPython(cases.map(({ message }) => scanMessage(message).text));
    for (const [index, { message, ok, canonical: signed }] of cases.entries()) {
      const expected = { verdict: ok ? 'verified' : 'bad signature', canonical: canonical[index] };
      expect(answers[index], message).toEqual(expected);
      if (ok) expect(answers[index]?.canonical, message).toBe(signed);
    }
    // Both kinds must be among them, or this shows nothing.
    expect(new Set(cases.map(({ ok }) => ok)).size).toBe(2);
  },
);

test('doubles of any bits, and names with halves of surrogate pairs, which the generator does not make', async () => {
  const random = seededRandom();
  const bits = new DataView(new ArrayBuffer(8));
  const double = (): string => {
    bits.setUint32(0, random() * 2 ** 32);
    bits.setUint32(4, random() * 2 ** 32);
    const value = bits.getFloat64(0);
    return Number.isFinite(value) ? value.toExponential() : '0.5';
  };
  const units = ['a', '\\ud83d', '\\ude00', '\\ue000', '\\uffff', '😀', 'é', '\\u007f'];
  const name = () => Array.from({ length: 3 }, () => units[Math.floor(random() * units.length)] ?? '').join('');
  const texts = Array.from({ length: rounds(5000, 100_000) }, () => {
    const names = new Map(Array.from({ length: 5 }, name).map((text) => [JSON.parse(`"${text}"`) as string, text]));
    return `{${[...names.values()].map((text) => `"${text}": ${double()}`).join(', ')}}`;
  });
  const expected = await canonicalByPython(texts);
  for (const [index, text] of texts.entries()) expect(canonicalText(text), text).toBe(expected[index]);
});

test('one answer a line, whatever the line holds', async () => {
  const [good] = await linesOf<Case>(python, [oracle, 'fuzz', '1', '1']);
  const separator = '\u2028';
  const beside = { ...good, message: good?.message.replace('{', `{"${separator}":"${separator}",`) };
  const lines: object[] = [
    {},
    [],
    { key: 1, message: 'x' },
    { key: 'AA==' },
    { key: '', message: '{}' },
    { key: 'AA==', message: '\ud800' },
  ];
  const deep = { key: 'AA==', message: '['.repeat(100_000) };
  const large = { key: 'AA==', message: 'x'.repeat(10_000_000) };
  const answers = await linesOf<Answer>(process.execPath, [driver], [...lines, deep, large, beside]);
  expect(answers.slice(0, -1)).toEqual(Array.from({ length: lines.length + 2 }, () => ({ verdict: 'malformed' })));
  expect(answers.at(-1)?.verdict).toBe('verified');
});
