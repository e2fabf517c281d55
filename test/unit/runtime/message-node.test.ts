import { EventEmitter } from 'node:events';
import type { Node, NodeAPI } from 'node-red';
import { beforeEach, describe, expect, it } from 'vitest';
import { PackError } from '../../../nodes/lib/errors';
import { deployGate } from '../../../nodes/lib/runtime/deploy-gate';
import { MessageNode, type Done, type PackMessage } from '../../../nodes/lib/runtime/message-node';

let serial = 0;

/** A node and as much of Node-RED as it needs; its flows have started. */
function stand(wires: string[][]) {
  const events = new EventEmitter();
  const warnings: string[] = [];
  const sent: unknown[] = [];
  const errors: (Error | undefined)[] = [];
  const RED = {
    events,
    nodes: { getNode: () => null, eachNode: () => undefined },
    log: { warn: (text: string) => warnings.push(text) },
  } as unknown as NodeAPI;
  const node = Object.assign(new EventEmitter(), {
    id: `message-node-${++serial}`,
    type: 'some-node',
    wires,
    status: () => undefined,
    send: (message: unknown) => sent.push(message),
    warn: (text: string) => warnings.push(text),
    error: () => undefined,
  });
  deployGate(RED);
  events.emit('flows:started');
  const messageNode = new MessageNode(RED, node as unknown as Node, {
    rejectedOutput: 1,
    view: () => ({ intent: 'idle', text: '' }),
  });
  const receive = (message: Partial<PackMessage>): void => {
    const done: Done = (error) => errors.push(error);
    node.emit('input', { _msgid: '1', ...message }, (outputs: unknown) => sent.push(outputs), done);
  };
  const close = (): Promise<void> => new Promise((resolve) => node.emit('close', true, resolve));
  return { messageNode, receive, close, warnings, sent, errors };
}

describe('MessageNode', () => {
  let parts: ReturnType<typeof stand>;

  beforeEach(() => {
    parts = stand([['next'], ['rejected']]);
    return () => parts.close();
  });

  it('gives a rejected message back as it was received, without what was proven or made of it', () => {
    const { messageNode, receive, sent, errors } = parts;
    messageNode.onInput((message, send, done) =>
      messageNode.reject(message, send, done, { code: 'unregistered', reason: 'no such topic' }),
    );
    receive({
      topic: 't',
      payload: { temperature: 20 },
      received: '{"hmac":"…"}',
      verified: { text: '{}' },
      kind: 'sensor',
      point: { bucket: 'raw', measurement: 'm', tags: {}, fields: {}, time: '1' },
    });
    const [outputs] = sent as [[unknown, Record<string, unknown>]];
    expect(outputs[0]).toBeNull();
    const { rejected, ...rest } = outputs[1];
    expect(rest).toEqual({ _msgid: '1', topic: 't', payload: '{"hmac":"…"}', received: '{"hmac":"…"}' });
    expect(rejected).toMatchObject({ code: 'unregistered', reason: 'no such topic' });
    expect(errors).toEqual([undefined]);
    expect(messageNode.counters).toMatchObject({ received: 1, rejected: { unregistered: 1 } });
  });

  it('ends a message whose handler throws with that error, once, and counts its code', () => {
    const { messageNode, receive, sent, errors } = parts;
    const fault = new PackError('store-unavailable', 'the disk is full');
    messageNode.onInput(() => {
      throw fault;
    });
    receive({ payload: 1 });
    expect(errors).toEqual([fault]);
    expect(sent).toEqual([]);
    expect(messageNode.counters).toMatchObject({ received: 1, failed: { 'store-unavailable': 1 } });
  });

  it('says what it rejects in the log, once a minute a code, also where the rejected output is wired', () => {
    const { messageNode, receive, sent, warnings } = parts;
    messageNode.onInput((message, send, done) =>
      messageNode.reject(message, send, done, { code: 'bad-signature', reason: 'it does not fit' }),
    );
    for (const topic of ['a', 'b', 'c']) receive({ topic, payload: '' });
    expect(sent).toHaveLength(3);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('bad-signature: it does not fit');
  });

  it('says what it rejects in the log where no rejected output is wired', async () => {
    await parts.close();
    parts = stand([['next'], []]);
    const { messageNode, receive, sent, warnings } = parts;
    messageNode.onInput((message, send, done) =>
      messageNode.reject(message, send, done, { code: 'malformed', reason: 'no JSON' }),
    );
    receive({ topic: 't', payload: 'x', received: 'x' });
    expect(sent).toEqual([]);
    expect(warnings).toEqual(['malformed: no JSON (topic "t")']);
  });
});
