import { EventEmitter } from 'node:events';
import type { NodeAPI, NodeMessageInFlow } from 'node-red';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { DeployGate, afterDeploy, deployGate, isDeploying } from '../../../nodes/lib/runtime/deploy-gate';

const message = (id: number, payload: unknown = id): NodeMessageInFlow => ({ _msgid: String(id), payload });
const stateEvent = (payload: Record<string, unknown>) => ({ id: 'runtime-state', payload, retain: true });

describe('the gate', () => {
  let events: EventEmitter;
  let warnings: string[];
  let living: Set<string>;
  /** What the nodes have got, and what was called, in order. */
  let got: string[];
  let RED: NodeAPI;

  beforeEach(() => {
    events = new EventEmitter();
    warnings = [];
    living = new Set(['a', 'b']);
    got = [];
    const getNode = (id: string) =>
      living.has(id) ? { receive: ({ _msgid }: NodeMessageInFlow) => got.push(`${id}${_msgid}`) } : null;
    RED = { events, nodes: { getNode }, log: { warn: (text: string) => warnings.push(text) } } as unknown as NodeAPI;
  });

  const started = (): DeployGate => {
    const gate = deployGate(RED);
    events.emit('flows:started');
    return gate;
  };
  const stop = (): void => {
    events.emit('flows:stopping');
    events.emit('flows:stopped');
    events.emit('runtime-event', stateEvent({ state: 'stop', deploy: true }));
  };
  const start = (): void => {
    events.emit('flows:starting');
    events.emit('flows:started');
    events.emit('runtime-event', stateEvent({ state: 'start', deploy: true }));
    events.emit('runtime-event', { id: 'runtime-deploy', payload: { revision: 'x' }, retain: true });
  };

  it('is closed until the flows have started, and open until the next deploy', () => {
    const gate = deployGate(RED);
    expect(isDeploying(RED)).toBe(true);
    expect(gate.holds('a', message(1))).toBe(true);
    start();
    expect(got).toEqual(['a1']);
    expect(isDeploying(RED)).toBe(false);
    expect(gate.holds('a', message(2))).toBe(false);
  });

  it('gives the messages to the nodes of the same ids, in order, after those who wait for the end', () => {
    const gate = started();
    const cancel = afterDeploy(RED, () => got.push('end'));
    stop();
    expect(isDeploying(RED)).toBe(true);
    gate.holds('a', message(1));
    gate.holds('b', message(2));
    gate.holds('a', message(3));
    expect(got).toEqual([]);
    start();
    expect(got).toEqual(['end', 'a1', 'b2', 'a3']);
    cancel();
    stop();
    start();
    expect(got).toEqual(['end', 'a1', 'b2', 'a3']);
  });

  it.each([
    ['a node type is missing', stateEvent({ state: 'stop', error: 'missing-types', type: 'warning', types: ['x'] })],
    ['a module is missing', stateEvent({ state: 'stop', error: 'missing-modules', type: 'warning', modules: [] })],
    ['it is in safe mode', { id: 'runtime-deploy', payload: { revision: 'x' }, retain: true }],
  ])('opens when nothing is started because %s, and keeps what waits for a node that is gone', (_, event) => {
    const gate = started();
    stop();
    gate.holds('a', message(1));
    gate.holds('b', message(2));
    living.delete('b');
    events.emit('runtime-event', event);
    expect(isDeploying(RED)).toBe(false);
    expect(got).toEqual(['a1']);
    living.add('b');
    start();
    expect(got).toEqual(['a1', 'b2']);
    expect(warnings).toEqual([]);
  });

  it('opens when the flows are stopped by hand, and gives the messages to the nodes when they are started', () => {
    const gate = started();
    events.emit('flows:stopping');
    gate.holds('a', message(1));
    living.clear();
    events.emit('flows:stopped');
    events.emit('runtime-event', stateEvent({ state: 'stop', deploy: undefined }));
    expect(isDeploying(RED)).toBe(false);
    expect(got).toEqual([]);
    events.emit('flows:starting');
    expect(isDeploying(RED)).toBe(true);
    living.add('a');
    events.emit('flows:started');
    expect(got).toEqual(['a1']);
  });

  it('stays closed when a deploy begins before the one before has started', () => {
    const gate = started();
    stop();
    gate.holds('a', message(1));
    events.emit('flows:stopping');
    events.emit('flows:started');
    events.emit('runtime-event', { id: 'runtime-deploy', payload: {} });
    expect(got).toEqual([]);
    events.emit('flows:stopped');
    start();
    expect(got).toEqual(['a1']);
  });

  it('stays closed until what config nodes read for the first time has been read, or could not be', async () => {
    const gate = deployGate(RED);
    let haveRead = (): void => undefined;
    let haveFailed = (): void => undefined;
    const registry = new Promise<void>((resolve) => {
      haveRead = resolve;
    });
    const keys = new Promise<void>((_resolve, reject) => {
      haveFailed = () => reject(new Error('it is not there'));
    });
    gate.waitFor(registry);
    gate.waitFor(keys);
    gate.holds('a', message(1));
    start();
    expect(isDeploying(RED)).toBe(true);
    haveRead();
    await registry;
    expect(got).toEqual([]);
    haveFailed();
    await keys.catch(() => undefined);
    await Promise.resolve();
    expect(got).toEqual(['a1']);
    expect(isDeploying(RED)).toBe(false);
    // A version that is read later holds nothing up: there is one in force.
    gate.waitFor(new Promise(() => undefined));
    expect(gate.holds('a', message(2))).toBe(false);
  });

  it('does not wait for ever for a file system that does not answer', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const gate = deployGate(RED);
    gate.waitFor(new Promise(() => undefined));
    gate.holds('a', message(1));
    start();
    vi.advanceTimersByTime(59_000);
    expect(got).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(got).toEqual(['a1']);
  });

  it('does not wait for a node that has been deleted, and says so', () => {
    const gate = started();
    stop();
    gate.holds('a', message(1));
    gate.holds('b', message(2));
    gate.forget('b');
    gate.forget('c');
    start();
    expect(got).toEqual(['a1']);
    expect(warnings).toEqual([expect.stringMatching(/1 messages dropped.* b$/)]);
  });

  it.each([
    ['messages', { messages: 10, bytes: 1e9 }, 1],
    ['bytes', { messages: 1e9, bytes: 10 * 10_500 }, 10_000],
  ])('holds only so many %s: the oldest go, and it says how many', (_, limit, bytes) => {
    const gate = new DeployGate(RED, limit);
    for (let id = 1; id <= 11; id++) gate.holds('a', message(id, Buffer.alloc(bytes)));
    expect(warnings).toEqual([expect.stringContaining('2 messages dropped')]);
    start();
    expect(got).toEqual(['a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9', 'a10', 'a11']);
  });

  it('counts what is in strings, lists and objects', () => {
    const gate = new DeployGate(RED, { messages: 1e9, bytes: 50_000 });
    const large = { list: [{ text: 'x'.repeat(30_000) }] };
    gate.holds('a', message(1, large));
    gate.holds('a', { ...message(2), received: 'x'.repeat(30_000) });
    start();
    expect(got).toEqual(['a2']);
  });
});
