/** A device that performs actions, as a process of its own that can be killed. Bundled and started by receiver.ts. */
import { createHmac } from 'node:crypto';
import { ClassicLevel } from 'classic-level';
import { connect, type IPublishPacket, type MqttClient } from 'mqtt';
import type { PerformedAction, ReceiverOptions } from './receiver';

const options = JSON.parse(process.argv[2] ?? '{}') as ReceiverOptions & { directory: string; url: string };
const level = new ClassicLevel<string, string>(options.directory);

type Operation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string };
interface Signed {
  payload: { id: string; expires: number; position: number; ts: number; ts_ns: number };
}

/** What came over the wire, if it is signed and an action; the text of the payload is what was signed. */
function verified(bytes: Buffer): Signed | undefined {
  const text = bytes.toString();
  const [, hmac, payload = ''] = /^\{"hmac":"([^"]{44})","payload":(.*)\}$/.exec(text) ?? [];
  const digest = createHmac('sha256', options.key).update(payload).digest('base64');
  return digest === hmac ? (JSON.parse(text) as Signed) : undefined;
}

let sequence = 0;

function outcomeOf({ payload }: Signed, newest = ''): PerformedAction['outcome'] {
  if (Date.now() >= payload.expires * 1000) return 'expired';
  return timeOf(payload) < newest ? 'outdated' : 'performed';
}

/** Nanoseconds since 1970, as digits: text of one length, in the order of time. */
function timeOf({ ts, ts_ns: nanoseconds }: Signed['payload']): string {
  return `${ts}${String(nanoseconds).padStart(9, '0')}`;
}

/** Entries are in the order in which they were written, over restarts too. */
function logged({ payload: { id, position } }: Signed, topic: string, outcome: PerformedAction['outcome']): Operation {
  const action: PerformedAction = { id, topic, position, outcome };
  const key = `log!${String(Date.now()).padStart(15, '0')}!${String(sequence++).padStart(10, '0')}`;
  return { type: 'put', key, value: JSON.stringify(action) };
}

function connected(): MqttClient {
  const client = connect(options.url, {
    clientId: options.clientId,
    protocolVersion: options.protocolVersion,
    clean: false,
    reconnectPeriod: 100,
    ...(options.protocolVersion === 5 && { properties: { sessionExpiryInterval: 86_400 } }),
  });
  // It connects again by itself.
  client.on('error', () => client.connected);
  client.on('connect', () => {
    client.subscribe(options.topic, { qos: 2 }, (error) => process.stdout.write(error ? '' : 'subscribed\n'));
  });
  return client;
}

/**
 * Relies on QoS 2 alone: an action and the id of its packet are stored together, before PUBREC; the id is forgotten with
 * PUBREL. MQTT.js answers at other moments, so what it sees is turned into QoS 0, and the answers are written here.
 */
async function relyOnQos2(): Promise<void> {
  const ids = new Set<number>();
  for await (const key of level.keys({ gte: 'id!', lt: 'id"' })) ids.add(Number(key.slice(3)));
  const client = connected();
  let queue: { operations: Operation[]; acknowledgement: Buffer; stream: MqttClient['stream'] }[] = [];
  let isWriting = false;
  const add = (operations: Operation[], ...acknowledgement: number[]): void => {
    queue.push({ operations, acknowledgement: Buffer.from(acknowledgement), stream: client.stream });
    if (!isWriting) void write();
  };
  const write = async (): Promise<void> => {
    isWriting = true;
    while (queue.length > 0) {
      const taken = queue;
      queue = [];
      const all = taken.flatMap(({ operations }) => operations);
      await level.batch(all, { sync: true });
      for (const { key } of all) if (key.startsWith('log!')) process.stdout.write('logged\n');
      for (const { acknowledgement, stream } of taken) if (stream === client.stream) stream.write(acknowledgement);
    }
    isWriting = false;
  };
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'connack' && !packet.sessionPresent) {
      add(Array.from(ids, (id) => ({ type: 'del', key: `id!${id}` })));
      ids.clear();
    } else if (packet.cmd === 'publish' && packet.qos === 2) {
      Object.assign(packet, { qos: 0, wasQos2: true });
    } else if (packet.cmd === 'pubrel') {
      const { messageId = 0 } = packet;
      Object.assign(packet, { cmd: 'taken' });
      ids.delete(messageId);
      add([{ type: 'del', key: `id!${messageId}` }], 0x70, 2, messageId >> 8, messageId & 255);
    }
  });
  client.handleMessage = (packet: IPublishPacket & { wasQos2?: boolean }, done) => {
    const { messageId = 0, payload, wasQos2 } = packet;
    const signed = verified(Buffer.from(payload));
    if (wasQos2) {
      const isCopy = ids.has(messageId);
      ids.add(messageId);
      const operations: Operation[] =
        isCopy || !signed
          ? []
          : [logged(signed, packet.topic, outcomeOf(signed)), { type: 'put', key: `id!${messageId}`, value: '' }];
      add(operations, 0x50, 2, messageId >> 8, messageId & 255);
    }
    done();
  };
  // What was not written is sent again on the next connection.
  client.on('close', () => {
    for (const { operations } of queue) {
      for (const { type, key } of operations)
        if (type === 'put' && key.startsWith('id!')) ids.delete(Number(key.slice(3)));
    }
    queue = [];
  });
}

/** Keeps the ids of what it has performed and when the newest was signed, and answers to every copy. */
function acknowledge(): void {
  const client = connected();
  const perform = async ({ topic, payload }: IPublishPacket): Promise<void> => {
    const signed = verified(Buffer.from(payload));
    if (!signed) return;
    const { id } = signed.payload;
    let refusal = '';
    if ((await level.get(`performed!${id}`)) === undefined) {
      const newest = `newest!${topic}`;
      const outcome = outcomeOf(signed, await level.get(newest));
      if (outcome === 'expired') return;
      const operations: Operation[] = [logged(signed, topic, outcome)];
      if (outcome === 'performed') {
        operations.push({ type: 'put', key: `performed!${id}`, value: '' });
        operations.push({ type: 'put', key: newest, value: timeOf(signed.payload) });
      } else refusal = '"ok":false,"reason":"outdated",';
      await level.batch(operations, { sync: true });
    }
    const seconds = Math.floor(Date.now() / 1000);
    const text = `{"id":"${id}",${refusal}"ts":${seconds},"ts_ns":${process.hrtime()[1]}}`;
    const hmac = createHmac('sha256', options.key).update(text).digest('base64');
    if (!options.isMute) client.publish(`${topic}/ack`, `{"hmac":"${hmac}","payload":${text}}`, { qos: 1 });
  };
  client.handleMessage = (packet, done) => void perform(packet).then(() => done());
}

void level.open().then(() => (options.acknowledges ? acknowledge() : relyOnQos2()));
