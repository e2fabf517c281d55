import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = join(__dirname, '../../../examples');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
const nodes = files.flatMap(
  (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>[],
);

it('the examples take messages as retained only if the broker had kept them', () => {
  const inputs = nodes.filter(({ type }) => type === 'mqtt in');
  expect(inputs.length).toBeGreaterThan(3);
  expect(inputs.filter(({ rap }) => rap !== false)).toEqual([]);
});

it('the examples name alarms by their topics', () => {
  const commands = nodes.flatMap(({ payload }) => {
    const [, , id] = /^\{"(acknowledge|forget)":"([^"]*)"/.exec(String(payload)) ?? [];
    return id === undefined ? [] : [id];
  });
  expect(commands).toHaveLength(2);
  const topics = new Set(nodes.map(({ topic }) => topic));
  expect(commands.filter((id) => !topics.has(id))).toEqual([]);
});
