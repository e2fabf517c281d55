import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Verifier } from '../../nodes/hmac-verify/verify';
import { Keyring } from '../../nodes/iot-keyring/keyring';
import { loadRegistry } from '../../nodes/lib/registry/load';
import type { Registry } from '../../nodes/lib/registry/registry';

const root = join(__dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

function block(language: string): string {
  const found = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]);
  expect(found, `blocks of ${language}`).toHaveLength(1);
  return found[0] ?? '';
}

function loaded(document: string): Registry {
  const result = loadRegistry(document);
  if ('faults' in result) throw new Error(JSON.stringify(result.faults));
  return result.registry;
}

/** The members of a union of string literals, from the source of its type. */
function unionMembers(file: string, type: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const declaration = new RegExp(`export type ${type} =(.*?);$`, 'ms').exec(source)?.[1] ?? '';
  const members = [...declaration.matchAll(/'([a-z-]+)'/g)].map((match) => match[1] ?? '');
  expect(members.length, `members of ${type}`).toBeGreaterThan(1);
  return members;
}

describe('README', () => {
  const message = block('text').trim();
  const key = /b64decode\("(.{44})"\)/.exec(block('python'))?.[1] ?? '';

  it('shows a registry that loads', () => {
    const registry = loaded(block('yaml'));
    expect(registry.match('sensors/house/kitchen/climate')).toMatchObject({ kind: 'sensor', device: 'house/kitchen' });
    expect(registry.match('alarms/house/kitchen/smoke')?.kind).toBe('alarm');
    expect(registry.match('actions/house/kitchen/valve')?.kind).toBe('action');
    expect(registry.match('actions/house/kitchen/valve/ack')?.kind).toBe('acknowledgement');
    expect(registry.match('counters/house/main')?.kind).toBe('sensor');
  });

  it('shows a message that verifies under the registry and the key shown', () => {
    const registry = loaded(block('yaml'));
    const keyring = new Keyring({ mode: 'master', encoding: 'text', secret: 'example secret, replace it' });
    const verifier = new Verifier({
      registry: () => registry,
      keyring,
      maxBytes: 65_536,
      now: () => 1_767_225_600_000,
    });
    const verdict = verifier.verify(Buffer.from(message), 'sensors/house/kitchen/climate');
    expect(verdict).toMatchObject({ ok: true, payload: { temperature: 20 }, verified: { device: 'house/kitchen' } });
    expect(keyring.keyOf('house/kitchen')).toBe(key);
  });

  it('shows the same message as JSON', () => {
    expect(JSON.parse(block('json'))).toEqual(JSON.parse(message));
  });

  it('explains every code', () => {
    const codes = [
      ...unionMembers('nodes/lib/errors.ts', 'ErrorCode'),
      ...unionMembers('nodes/hmac-verify/verify.ts', 'VerifyCode'),
      ...unionMembers('nodes/registry-route/route.ts', 'RouteCode'),
      ...unionMembers('nodes/alarm-state/intake.ts', 'IgnoreCode'),
      ...unionMembers('nodes/lib/action/record.ts', 'FailureCode'),
    ];
    const explained = [...readme.matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1]);
    expect(codes.filter((code) => !explained.includes(code))).toEqual([]);
  });

  it('links to files that exist and to headings of its own', () => {
    const targets = [...readme.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '');
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(
      (match) =>
        `#${(match[1] ?? '')
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .replaceAll(' ', '-')}`,
    );
    const broken = targets.filter((target) =>
      target.startsWith('#') ? !headings.includes(target) : !/^https?:/.test(target) && !existsSync(join(root, target)),
    );
    expect(broken).toEqual([]);
  });
});
