import { timeNow } from './devices.mjs';
import { library } from './folder.mjs';
import { readOperations } from './metrics.mjs';
import { press } from './node-red.mjs';
import { operationNodes, VALVE } from './operations.mjs';
import { waitFor } from './wait.mjs';

const CLICK_SECONDS = 2;
const PATIENCE_SECONDS = 20;

/** A simulated valve that performs signed actions, and the person who clicks the button that sends them. */
export class Valve {
  /** How often the button was clicked. */
  clicked = 0;
  /** Actions that were performed, each once. */
  performed = new Set();
  #nodeRed;
  #client;
  #timer;
  #clicks = new Set();

  static async start({ nodeRed, brokerPort, masterSecret }) {
    const valve = new Valve();
    valve.#nodeRed = nodeRed;
    const { connectAsync } = await import('mqtt');
    const clientId = `demo-valve-${process.pid}`;
    valve.#client = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { clientId });
    valve.#perform(masterSecret);
    await valve.#client.subscribeAsync(VALVE.topic, { qos: 2 });
    valve.#click();
    valve.#timer = setInterval(() => valve.#click(), CLICK_SECONDS * 1000);
    return valve;
  }

  #perform(masterSecret) {
    const { deriveDeviceKey, keyFromSecret, messageKey } = library('protocol/key.js');
    const { judge } = library('protocol/judge.js');
    const { signMessage } = library('protocol/sign.js');
    const key = deriveDeviceKey(keyFromSecret(masterSecret, 'text'), VALVE.device);
    this.#client.on('message', (_topic, bytes) => {
      const message = bytes.toString();
      if (!judge(key, message).verdict.startsWith('verified')) return;
      const { id, expires } = JSON.parse(message).payload;
      const { ts, ts_ns } = timeNow();
      if (!this.performed.has(id) && ts > expires) return;
      this.performed.add(id);
      this.#client.publish(`${VALVE.topic}/ack`, signMessage({ id, ts, ts_ns }, messageKey(key)), { qos: 1 });
    });
  }

  #click() {
    const click = press(this.#nodeRed, operationNodes.button).then(
      () => (this.clicked += 1),
      () => undefined,
    );
    this.#clicks.add(click);
    void click.finally(() => this.#clicks.delete(click));
  }

  /** No more clicks; resolves when every action has come to its end. */
  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#clicks);
    const isOver = async () => {
      const { acknowledged, failed } = await readOperations(this.#nodeRed);
      return acknowledged + failed === this.clicked;
    };
    await waitFor(isOver, { seconds: PATIENCE_SECONDS });
    await this.#client.endAsync();
  }

  /** For a broker that may be gone already. */
  abandon() {
    clearInterval(this.#timer);
    this.#client?.end(true);
  }
}

/** Shows the two nodes at work: when the first alarm has come and gone, and the first action was performed. */
export async function showOperations(nodeRed, say) {
  const seen = (what, isSeen) =>
    waitFor(async () => isSeen(await readOperations(nodeRed)), { seconds: PATIENCE_SECONDS }).then(
      (yes) => yes && say(what),
    );
  await Promise.all([
    seen(
      'alarm-state        smoke at cellar/ceiling was raised, and cleared',
      ({ raised, cleared }) => raised > 0 && cleared > 0,
    ),
    seen(
      `iot-sign-publish   ${VALVE.device} was told to move its valve, and has answered`,
      ({ acknowledged }) => acknowledged > 0,
    ),
  ]);
}
