import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const schema = JSON.parse(readFileSync(join(__dirname, '../../../resources/registry.schema.json'), 'utf8')) as {
  $schema: string;
  $id: string;
  properties: Record<string, Described>;
  $defs: Record<string, Described & { properties?: Record<string, Described> }>;
};

interface Described {
  description?: string;
  $ref?: string;
}

describe('the published JSON Schema', () => {
  it('is one of 2020-12, with an id', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema.$id).toMatch(/^https:\/\/.*\/registry\.schema\.json$/);
  });

  it('describes every property, so that editors can show what it is for', () => {
    const members = [schema.properties, ...Object.values(schema.$defs).map(({ properties }) => properties ?? {})];
    const described = ({ description, $ref }: Described): boolean =>
      description !== undefined || schema.$defs[$ref?.replace('#/$defs/', '') ?? '']?.description !== undefined;
    const silent = members.flatMap((properties) =>
      Object.entries(properties).flatMap(([name, property]) => (described(property) ? [] : [name])),
    );
    expect(silent).toEqual([]);
    expect(Object.values(schema.$defs).every(described)).toBe(true);
  });
});
