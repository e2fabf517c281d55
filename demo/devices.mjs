import { faults } from './faults.mjs';
import { library } from './folder.mjs';

const SENSORS = ['greenhouse/bed-1', 'greenhouse/bed-2', 'greenhouse/bed-3', 'cellar/shelf'];
const SENSOR_SECONDS = 1;
const ALARM_DEVICE = 'cellar/ceiling';
const ALARM_SECONDS = 3;
const MINUTE = 60;
const LATE_DEVICE = { site: 'cellar', device: 'cabinet' };
const LATE_SECONDS = 10;
/** Ended long enough ago for their averages to be due at once. */
const LATE_MINUTES = [3, 2];
const FAULT_SECONDS = 2;
/** Several intervals, so that one late reading costs no connection. */
const KEEP_ALIVE_SECONDS = 30;

/** Nanoseconds since 1970 as the protocol wants them. */
export function timeNow(offsetSeconds = 0) {
  const nanoseconds = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
  return {
    ts: Number(nanoseconds / 1_000_000_000n) + offsetSeconds,
    ts_ns: Number(nanoseconds % 1_000_000_000n),
  };
}

/** What signing takes: `sign(payload, device)` with the device's own key, made from the master secret. */
function signer(masterSecret) {
  const { signMessage } = library('protocol/sign.js');
  const { deriveDeviceKey, keyFromSecret, messageKey } = library('protocol/key.js');
  const master = keyFromSecret(masterSecret, 'text');
  return (payload, device) => signMessage(payload, messageKey(deriveDeviceKey(master, device)));
}

/**
 * The simulated devices: some that work, one that was offline and sends what it has kept, and one for each kind of fault.
 * Each has its own connection and its own key. `sent` counts what the broker was given, by what must become of it:
 * { sensor, late, alarm, raised, rejected: { code: number } }; `raised` are the alarms that begin.
 */
export class Devices {
  sent = { sensor: 0, late: 0, alarm: 0, raised: 0, rejected: {} };
  /** When the first message may have been signed, in milliseconds. */
  startedAt = Date.now();
  /** Whose readings come late, and the starts of the minutes they belong to, in seconds since 1970. */
  late = {
    ...LATE_DEVICE,
    minutes: LATE_MINUTES.map((ago) => (Math.floor(Date.now() / 1000 / MINUTE) - ago) * MINUTE),
  };
  #timers = [];
  #pending = new Set();
  #clients = [];
  #connect;
  #sign;

  /** `malformed`: messages of that kind that the flow has been sent already. */
  static async start({ brokerPort, masterSecret, malformed }) {
    const devices = new Devices();
    devices.sent.rejected.malformed = malformed;
    const { connectAsync } = await import('mqtt');
    devices.#sign = signer(masterSecret);
    devices.#connect = async (name) => {
      // The process id makes it unique: two clients with one id push each other off the broker.
      const clientId = `demo-${name.replaceAll('/', '-')}-${process.pid}`;
      const client = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { clientId, keepalive: KEEP_ALIVE_SECONDS });
      devices.#clients.push(client);
      return client;
    };
    await Promise.all([
      ...SENSORS.map((name) => devices.#sensor(name)),
      devices.#kept(),
      devices.#alarm(),
      ...devices.#faulty(),
    ]);
    return devices;
  }

  async #sensor(device) {
    const client = await this.#connect(device);
    let temperature = 20;
    this.#every(SENSOR_SECONDS, async () => {
      temperature += (Math.random() - 0.5) / 2;
      const values = { temperature: round(temperature), humidity: round(60 - temperature) };
      await client.publishAsync(`sensors/${device}/climate`, this.#sign({ ...values, ...timeNow() }, device));
      this.sent.sensor += 1;
    });
  }

  /** Readings that were kept while a device was offline; their times are such that another run writes the same points. */
  async #kept() {
    const { site, device, minutes } = this.late;
    const name = `${site}/${device}`;
    const client = await this.#connect(name);
    for (const minute of minutes) {
      for (let ts = minute; ts < minute + MINUTE; ts += LATE_SECONDS) {
        const message = this.#sign({ temperature: round(18 + Math.random()), ts, ts_ns: 0 }, name);
        await client.publishAsync(`sensors/${name}/climate`, message);
        this.sent.late += 1;
      }
    }
  }

  async #alarm() {
    const client = await this.#connect(ALARM_DEVICE);
    let active = false;
    this.#every(ALARM_SECONDS, async () => {
      active = !active;
      const message = this.#sign({ active, severity: 'high', ...timeNow() }, ALARM_DEVICE);
      await client.publishAsync(`alarms/${ALARM_DEVICE}/smoke`, message, { qos: 1 });
      this.sent.alarm += 1;
      if (active) this.sent.raised += 1;
    });
  }

  #faulty() {
    return faults.map(async ({ device, code, topic, message }) => {
      const client = await this.#connect(device);
      this.#every(FAULT_SECONDS, async () => {
        await client.publishAsync(topic, message({ sign: this.#sign, device, timeNow }));
        this.sent.rejected[code] = (this.sent.rejected[code] ?? 0) + 1;
      });
    });
  }

  #every(seconds, action) {
    const once = () => {
      const run = action().finally(() => this.#pending.delete(run));
      this.#pending.add(run);
    };
    once();
    this.#timers.push(setInterval(once, seconds * 1000));
  }

  /** No more messages; resolves when the last one is with the broker. */
  async stop() {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.allSettled(this.#pending);
    await Promise.all(this.#clients.map((client) => client.endAsync()));
  }

  /** For a broker that may be gone already. */
  abandon() {
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.end(true);
  }
}

const round = (number) => Math.round(number * 100) / 100;
