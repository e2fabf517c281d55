// The yardstick: one Node process without Node-RED that does the same work with no queue on disk, as one would write it:
// verifies the canonical text, checks the payload with ajv, and writes with the official client in compressed batches.
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { InfluxDB, Point } from '@influxdata/influxdb-client';
import Ajv from 'ajv/dist/2020.js';
import { connect } from 'mqtt';
import { BUCKET, DATABASE, MEASUREMENT, SECRET, TOPIC_FILTER } from './load';

const [brokerUrl = '', influxUrl = ''] = process.argv.slice(2);

interface Reading {
  temperature: number;
  humidity: number;
  ts: number;
  ts_ns: number;
}

const key = createSecretKey(SECRET, 'utf8');
const isReading = new Ajv().compile<Reading>({
  type: 'object',
  properties: {
    temperature: { type: 'number', minimum: -40, maximum: 85 },
    humidity: { type: 'number', minimum: 0, maximum: 100 },
    ts: { type: 'integer', minimum: 0 },
    ts_ns: { type: 'integer', minimum: 0, maximum: 999_999_999 },
  },
  required: ['temperature', 'humidity', 'ts', 'ts_ns'],
  additionalProperties: false,
});
const writer = new InfluxDB({ url: influxUrl }).getWriteApi('', '', 'ns', { batchSize: 1000, flushInterval: 200 });
writer.path = `/write?db=${DATABASE}&rp=${BUCKET}&precision=n`;

function readMessage(text: string): { hmac: string; payload: object } {
  return JSON.parse(text) as { hmac: string; payload: object };
}

/** Right for these payloads: flat, and without the numbers that JavaScript writes unlike Python. */
function canonicalText(payload: object): string {
  return JSON.stringify(payload, Object.keys(payload).sort());
}

function isSigned(payload: object, hmac: string): boolean {
  const digest = createHmac('sha256', key).update(canonicalText(payload)).digest();
  return timingSafeEqual(digest, Buffer.from(hmac, 'base64'));
}

function pointOf(topic: string, reading: Reading): Point {
  const [, site = '', device = ''] = topic.split('/');
  return new Point(MEASUREMENT)
    .tag('site', site)
    .tag('device', device)
    .floatField('temperature', reading.temperature)
    .floatField('humidity', reading.humidity)
    .timestamp(`${reading.ts}${String(reading.ts_ns).padStart(9, '0')}`);
}

function onMessage(topic: string, bytes: Buffer): void {
  const { hmac, payload } = readMessage(bytes.toString());
  if (!isSigned(payload, hmac) || !isReading(payload)) return;
  writer.writePoint(pointOf(topic, payload));
}

connect(brokerUrl, { clientId: 'bench-bare' }).on('message', onMessage).subscribe(TOPIC_FILTER, { qos: 0 });
// An orderly exit, so that a CPU profile is written.
process.once('SIGTERM', () => process.exit(0));
