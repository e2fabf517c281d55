// What is written down in several places has to agree: config.ts, the editor's defaults, the form, the catalogue, the help
// and the runtime half.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../support/node-red';
import {
  definitionsOf,
  formOf,
  interfaceMembers,
  runtimeCredentials,
  scriptsOf,
  stringsOf,
  templatePartsOf,
  templateHeadsOf,
  templateTailsOf,
  unionMembers,
  type Definition,
} from './definitions';
import { packTarball } from './tarball';

const tarball = packTarball();
const types = Object.keys(tarball.manifest['node-red']?.nodes ?? {});

/** Set by Node-RED, or without a field of its own. */
const WITHOUT_FIELD = new Set(['version']);

function source(path: string): string {
  return readFileSync(join(packageRoot, 'nodes', path), 'utf8');
}

function html(type: string): string {
  return tarball.read(`dist/${type}/${type}.html`);
}

function definition(type: string): Definition {
  const [found] = scriptsOf(html(type)).flatMap(definitionsOf);
  if (!found) throw new Error(`${type} is not registered`);
  return found;
}

/** `iot-keyring` -> `IotKeyring` */
function className(type: string): string {
  return type.replace(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** The catalogue as a flat list: `{ 'iot-keyring.label.mode': 'Secret is' }`. */
function catalogue(type: string): Record<string, string> {
  return flatten(JSON.parse(tarball.read(`dist/${type}/locales/en-US/${type}.json`)) as Tree);
}

type Tree = { [name: string]: Tree | string };

function flatten(tree: Tree, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([name, value]) =>
      typeof value === 'string' ? [[prefix + name, value]] : Object.entries(flatten(value, `${prefix}${name}.`)),
    ),
  );
}

/** Keys that the form asks for, with their namespace if they have one. */
function formKeys(type: string): string[] {
  return [...formOf(html(type), type).matchAll(/data-i18n="([^"]*)"/g)]
    .flatMap((match) => (match[1] ?? '').split(';'))
    .map((key) => key.replace(/^\[[^\]]*\]/, ''));
}

/** Groups that only the runtime halves ask for. */
const RUNTIME_KEY = /^(?:status|error|report)\.[a-z-]+$/;

/**
 * Strings that have the form of one of the type's keys: `iot-keyring.label.mode`, and `error.range` in a script that makes
 * keys by `${type}.${name}`.
 */
function keysIn(script: string, type: string): string[] {
  const strings = stringsOf(script);
  const whole = strings.filter((text) => text.startsWith(`${type}.`) && text.split('.').length >= 3);
  if (!templatePartsOf(script).includes(`${type}.`)) return whole;
  return [...whole, ...strings.filter((text) => RUNTIME_KEY.test(text)).map((text) => `${type}.${text}`)];
}

function runtimeScripts(type: string): string[] {
  const own = new RegExp(`^dist/(${type}|lib/runtime)/.*\\.js$`);
  return tarball.files.filter((file) => own.test(file)).map((file) => tarball.read(file));
}

describe.each(types)('%s', (type) => {
  const { defaults = [], credentials, category, outputs } = definition(type);
  const prefix = category === 'config' ? 'node-config-input-' : 'node-input-';
  const config = source(`${type}/config.ts`);

  test('defaults are the options of config.ts', () => {
    expect([...defaults].sort()).toEqual(['name', ...interfaceMembers(config, `${className(type)}Config`)].sort());
  });

  test('credentials are those of config.ts, and the same on both sides', () => {
    const declared = config.includes('Credentials') ? interfaceMembers(config, `${className(type)}Credentials`) : [];
    expect(Object.keys(credentials ?? {}).sort()).toEqual(declared.sort());
    expect(runtimeCredentials(tarball.read(`dist/${type}/${type}.js`))).toEqual(credentials);
  });

  test('secrets are of type password', () => {
    for (const [name, kind] of Object.entries(credentials ?? {})) {
      expect(kind, name).toBe(/secret|token|password/i.test(name) ? 'password' : 'text');
    }
  });

  test('every option has its field, and every field is an option', () => {
    const fields = [...formOf(html(type), type).matchAll(/\bid="([^"]+)"/g)]
      .map((match) => match[1] ?? '')
      .filter((id) => id.startsWith(prefix))
      .map((id) => id.slice(prefix.length));
    const options = [...defaults, ...Object.keys(credentials ?? {})].filter((name) => !WITHOUT_FIELD.has(name));
    expect(fields.sort()).toEqual(options.sort());
  });

  test('every field has a label, every button is a button, and nothing is written out in the form', () => {
    const form = formOf(html(type), type);
    const labelled = [...form.matchAll(/<label\s+for="([^"]+)"/g)].map((match) => match[1]);
    for (const [, attributes = ''] of form.matchAll(/<(?:input|select)\b([^>]*)>/g)) {
      if (attributes.includes('type="hidden"')) continue;
      expect(labelled).toContain(/\bid="([^"]+)"/.exec(attributes)?.[1]);
    }
    for (const [, attributes] of form.matchAll(/<button\b([^>]*)>/g)) expect(attributes).toContain('type="button"');
    expect(form).not.toMatch(/style=|<style|\bcolor\b/);
    expect(form.replace(/<[^>]*>/g, '').trim()).toBe('');
  });

  test('every key asked for is in the catalogue', () => {
    const known = catalogue(type);
    const core = createRequire(join(packageRoot, 'package.json'));
    const coreKeys = flatten(core('@node-red/nodes/locales/en-US/messages.json') as Tree);
    const asked = [...formKeys(type), ...scriptsOf(html(type)).flatMap((script) => keysIn(script, type))];
    for (const key of [...asked, ...runtimeScripts(type).flatMap((script) => keysIn(script, type))]) {
      const [namespace = '', name = ''] = key.includes(':') ? key.split(':') : ['', key];
      expect(namespace === 'node-red' ? coreKeys : known, key).toHaveProperty([name]);
    }
  });

  test('every key of the catalogue is asked for', () => {
    const own = [...scriptsOf(html(type)), ...runtimeScripts(type)];
    const asked = new Set([
      ...formKeys(type),
      ...own.flatMap((script) => keysIn(script, type)),
      ...(category === 'config' ? [] : [`palette.label.${String(category)}`]),
    ]);
    // Some groups are asked for by the last part of the key: `${type}.status.${name}`.
    const parts = own.flatMap(templatePartsOf);
    const library = tarball.files.filter((file) => /^dist\/lib\/.*\.js$/.test(file)).map((file) => tarball.read(file));
    const words = new Set([...own, ...library].flatMap(stringsOf));
    const tails = own.flatMap(templateTailsOf).filter((tail) => tail !== '');
    const heads = [...own, ...library].flatMap(templateHeadsOf);
    const isWord = (name: string) =>
      words.has(name) ||
      tails.some((tail) => name.endsWith(tail) && words.has(name.slice(0, -tail.length))) ||
      heads.some((head) => name.startsWith(head) && words.has(name.slice(head.length)));
    const isAsked = (key: string) => {
      const [group = '', ...name] = key.slice(type.length + 1).split('.');
      const isMade = parts.includes(`${type}.`) && parts.includes(`${group}.`);
      const byName = isMade || parts.includes(`${type}.${group}.`) || parts.includes(`.${group}.`);
      return asked.has(key) || (byName && isWord(name.join('.')));
    };
    expect(Object.keys(catalogue(type)).filter((key) => !isAsked(key))).toEqual([]);
  });

  test('the help has the official order, and a port for each output', () => {
    const help = tarball.read(`dist/${type}/locales/en-US/${type}.html`);
    expect(help).toMatch(new RegExp(`^<script type="text/html" data-help-name="${type}">\\s*<p>`));
    const order = ['Inputs', 'Outputs', 'Details', 'References'];
    const headings = [...help.matchAll(/<h3>([^<]*)<\/h3>/g)].map((match) => match[1] ?? '');
    expect(headings).toEqual(order.filter((heading) => headings.includes(heading)));
    expect(headings).toContain('Details');
    expect(help).not.toMatch(/<(b|i|em|strong|font|style)\b|style=/);
    if (category === 'config') return;
    expect(headings.slice(0, 3)).toEqual(['Inputs', 'Outputs', 'Details']);
    const ports = /<ol class="node-ports">([\S\s]*)<\/ol>/.exec(help)?.[1] ?? '';
    expect(ports.match(/<dl class="message-properties">/g)?.length).toBe(outputs);
  });

  test('the icon is white on transparent, two by three', () => {
    const icon = tarball.read(`dist/${type}/icons/${type}.svg`);
    expect(icon).toContain('viewBox="0 0 40 60"');
    const colours = [...icon.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map((match) => match[1]);
    expect(colours).toContain('#fff');
    expect(colours.filter((colour) => colour !== '#fff' && colour !== 'none')).toEqual([]);
  });
});

describe('help', () => {
  const help = (type: string) => tarball.read(`dist/${type}/locales/en-US/${type}.html`);

  test.each([
    ['hmac-verify', 'hmac-verify/verify.ts', 'VerifyCode'],
    ['registry-route', 'registry-route/route.ts', 'RouteCode'],
    ['alarm-state', 'alarm-state/intake.ts', 'IgnoreCode'],
    ['iot-sign-publish', 'lib/action/record.ts', 'FailureCode'],
  ])('%s explains every code of a rejection', (type, file, union) => {
    const codes = unionMembers(source(file), union);
    expect(codes.filter((code) => !help(type).includes(`<code>${code}</code>:`))).toEqual([]);
  });

  test('every code of an error is explained somewhere', () => {
    const all = types.map(help).join('\n');
    const codes = unionMembers(source('lib/errors.ts'), 'ErrorCode');
    expect(codes.filter((code) => !all.includes(`<code>${code}</code>`))).toEqual([]);
  });
});

test('no two icons are the same', () => {
  const icons = types.map((type) => tarball.read(`dist/${type}/icons/${type}.svg`));
  expect(new Set(icons).size).toBe(types.length);
});
