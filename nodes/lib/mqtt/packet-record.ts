import type { IPublishPacket, IStore } from 'mqtt';
import { parseJson } from '../store/json';

export type Packet = Parameters<IStore['put']>[0];

/** What is stored of a packet. */
export interface PacketRecord {
  id: number;
  /** The owner's name of the message. */
  message: string;
  qos: 1 | 2;
  /** Where it was sent: see `Packets.belongTo`. */
  session: string;
  /** Until the broker has taken it: what to send again. */
  publish?: Publication;
}

export interface Publication {
  topic: string;
  payload: string;
  /** Milliseconds since 1970: the broker is not to deliver it later (MQTT 5 only). */
  expires?: number;
}

export function encodePacket({ id, message, qos, session, publish }: PacketRecord): Buffer {
  const record: PacketRecord = { id, message, qos, session, ...(publish && { publish }) };
  return Buffer.from(JSON.stringify(record));
}

/** Undefined for what no release has written; its message is then found not to be in flight. */
export function decodePacket(value: Buffer): PacketRecord | undefined {
  const record = parseJson(value) as Partial<PacketRecord> | null | undefined;
  return typeof record?.id === 'number' && typeof record.message === 'string' ? (record as PacketRecord) : undefined;
}

/** The packet to send again. */
export function packetOf({ id, qos, publish }: PacketRecord): Packet {
  if (publish === undefined) return { cmd: 'pubrel', messageId: id };
  const { topic, payload, expires } = publish;
  // MQTT.js never sets DUP by itself; MQTT 5 section 3.3.1.1 wants it on whatever is sent again.
  return { cmd: 'publish', messageId: id, qos, dup: true, retain: false, topic, payload, ...expiryOf(expires) };
}

/** What is left of it now. MQTT.js leaves it out where the protocol has none. */
export function expiryOf(expires: number | undefined): Pick<IPublishPacket, 'properties'> {
  if (expires === undefined) return {};
  return { properties: { messageExpiryInterval: Math.max(1, Math.ceil((expires - Date.now()) / 1000)) } };
}

/** Bytes of a PUBLISH at QoS 1 or 2 over MQTT 5, where the broker may have a limit. */
export function sizeOf({ topic, payload, expires }: Publication): number {
  // MQTT 5 section 3.3: topic and packet id, length of the properties, the expiry as the only one.
  const length = 2 + Buffer.byteLength(topic) + 2 + 1 + (expires === undefined ? 0 : 5) + Buffer.byteLength(payload);
  // Section 1.5.5: seven bits of the length a byte.
  return 1 + Math.max(1, Math.ceil(Math.log2(length + 1) / 7)) + length;
}
