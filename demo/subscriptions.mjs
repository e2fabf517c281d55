import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { readCounts } from './metrics.mjs';
import { waitFor } from './wait.mjs';

/** One in each filter that the flow subscribes to. */
const TOPICS = ['sensors/demo/probe', 'alarms/demo/probe'];
const PATIENCE_SECONDS = 30;
const PROBE_SECONDS = 1;
const SETTLE_MILLISECONDS = 500;

/**
 * Waits until the flow receives what is published: a broker keeps nothing for a subscription that is still to come. Probes
 * with bytes that are no message, and returns how many of these were received; they count as `malformed`.
 */
export async function awaitSubscriptions(nodeRed, brokerPort) {
  const { connectAsync } = await import('mqtt');
  const client = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { clientId: `demo-probe-${process.pid}` });
  const received = async () => (await readCounts(nodeRed)).received;
  for (const topic of TOPICS) {
    const before = await received();
    const probe = async () => {
      await client.publishAsync(topic, 'Is anybody there?');
      return waitFor(async () => (await received()) > before, { seconds: PROBE_SECONDS, every: 50 });
    };
    const subscribed = await waitFor(probe, { seconds: PATIENCE_SECONDS });
    if (!subscribed) throw new Failure(`The flow receives nothing that is published to ${topic}.`);
  }
  await client.endAsync();
  // A probe may have been slow rather than lost.
  await sleep(SETTLE_MILLISECONDS);
  return received();
}
