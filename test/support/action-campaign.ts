import { expect } from 'vitest';
import { expectAccountsBalance } from './accounting';
import { startActionRig, SECRET, type ActionRig, type LoggedStep } from './action-rig';
import { seededRandom } from './campaign';
import { startReceiver, type PerformedAction, type Receiver } from './receiver';
import { until } from './until';

export type Fault = 'kill Node-RED' | 'kill device' | 'cut Node-RED' | 'cut device' | 'stop broker' | 'kill broker';

export interface CampaignOptions {
  protocolVersion: 4 | 5;
  /** They are sent to these in turn. */
  topics: readonly string[];
  acknowledges: boolean;
  actions: number;
  faults: number;
  kinds: readonly Fault[];
  seed: number;
}

/** Actions sent at once: as many as may be in flight. */
const BURST = 10;
/** Milliseconds between bursts, at most. */
const PAUSE = 200;
const SETTLE = 120_000;

/**
 * Sends actions while things fail at random moments, and compares what the device did with what was reported: to the
 * sender, at the outputs, and in the log in InfluxDB.
 */
export async function runCampaign(options: CampaignOptions): Promise<{ summary: string; failed: number }> {
  const { protocolVersion, topics, acknowledges, actions, faults, kinds, seed } = options;
  const random = seededRandom(seed);
  const pause = seededRandom(seed + 2);
  const rig = await startActionRig({
    protocolVersion,
    link: { delay: [4, 8], random: seededRandom(seed + 1) },
    // So that a killed broker comes back with an older state, and does not say so.
    mosquitto: { configuration: ['autosave_interval 2'] },
  });
  const url = `mqtt://127.0.0.1:${rig.links.device.port}`;
  const filter = `actions/+/+/${topics[0]?.split('/').at(-1) ?? ''}`;
  const device = await startReceiver(url, {
    clientId: 'device',
    topic: filter,
    protocolVersion,
    acknowledges,
    key: SECRET,
  });
  await rig.waitForStatus(/connected/);

  const confirmed = new Set<string>();
  let sent = 0;
  const sendOne = async (): Promise<void> => {
    // A killed Node-RED does not answer: nobody knows then whether it has taken the action over.
    const position = ++sent;
    const topic = topics[position % topics.length] ?? '';
    const id = await rig.act(topic, { position }).catch(() => undefined);
    if (id !== undefined) confirmed.add(id);
  };
  const send = async (): Promise<void> => {
    while (confirmed.size < actions) {
      const burst = Math.min(BURST, actions - confirmed.size);
      await Promise.all(Array.from({ length: burst }, sendOne));
      await new Promise((resolve) => setTimeout(resolve, PAUSE * pause()));
    }
  };
  const sending = send();
  const bag: Fault[] = [];
  const did: Partial<Record<Fault, number>> = {};
  for (let fault = 1; fault <= faults; fault++) {
    // Spread over the campaign, each at some moment of its share.
    const due = ((fault - random()) * actions) / faults;
    await until(`${Math.floor(due)} actions are sent`, () => confirmed.size >= due, Boolean, {
      deadline: SETTLE,
      interval: 1,
    });
    const kind = drawFrom(bag, kinds, random);
    did[kind] = (did[kind] ?? 0) + 1;
    await happen(kind, rig, device);
  }
  await sending;
  const logged = await settled(rig, confirmed, acknowledges);
  expectAccountsBalance(await rig.nodeRed.metrics());
  await device.stop();
  const log = await device.log();
  const ends = compare(rig, acknowledges, log, logged);
  compareOrder(acknowledges, log, logged);
  const failed = Object.values(ends.failed).reduce((sum, count) => sum + count, 0);
  const summary =
    `MQTT ${protocolVersion}, ${acknowledges ? 'answering' : 'QoS 2'} device: ${sent} sent, ${confirmed.size} confirmed, ` +
    `${logged.size} logged; ${JSON.stringify(did)}; ${ends.performed} performed once, failed ${JSON.stringify(ends.failed)}`;
  return { summary, failed };
}

/** In random order, but each as often as any other. */
function drawFrom(bag: Fault[], kinds: readonly Fault[], random: () => number): Fault {
  if (bag.length === 0) bag.push(...kinds);
  const [drawn = 'cut Node-RED'] = bag.splice(Math.floor(random() * bag.length), 1);
  return drawn;
}

async function happen(kind: Fault, { nodeRed, broker, links }: ActionRig, device: Receiver): Promise<void> {
  switch (kind) {
    case 'kill Node-RED':
      await nodeRed.kill();
      await nodeRed.restart();
      return;
    case 'kill device':
      await device.kill();
      await device.restart();
      return;
    case 'cut Node-RED':
      links.nodeRed.cut();
      return;
    case 'cut device':
      links.device.cut();
      return;
    case 'stop broker':
      await broker.restart();
      return;
    case 'kill broker':
      await broker.kill();
      await broker.restart();
  }
}

/** Waits until every action has come to its end in the log; gives all steps of each. */
async function settled(
  rig: ActionRig,
  confirmed: ReadonlySet<string>,
  acknowledges: boolean,
): Promise<Map<string, LoggedStep[]>> {
  const look = async (): Promise<{ steps: Map<string, LoggedStep[]>; open: string[] }> => {
    const steps = new Map<string, LoggedStep[]>();
    for (const step of await rig.log()) steps.set(step.id, [...(steps.get(step.id) ?? []), step]);
    const ids = new Set([...confirmed, ...steps.keys()]);
    return { steps, open: [...ids].filter((id) => endsOf(steps.get(id), acknowledges).length === 0) };
  };
  const isSettled = ({ open }: { open: string[] }): boolean => open.length === 0;
  await until('every action has come to its end', look, isSettled, { deadline: SETTLE, interval: 250 });
  await until('nothing is pending', async () => (await rig.pending()) === 0);
  return (await look()).steps;
}

function endsOf(steps: readonly LoggedStep[] = [], acknowledges: boolean): LoggedStep[] {
  const good = acknowledges ? 'acknowledged' : 'published';
  return steps.filter(({ step }) => step === good || step === 'failed');
}

/** How often an action may have been performed that ended so. */
function allowed({ step, code }: LoggedStep): [least: number, most: number] {
  if (step !== 'failed') return [1, 1];
  return code === 'uncertain' || code === 'unacknowledged' || code === 'superseded' ? [0, 1] : [0, 0];
}

/** What each device performed is in the order in which it was commanded, and the last one is what was commanded last. */
function compareOrder(
  acknowledges: boolean,
  log: readonly PerformedAction[],
  logged: ReadonlyMap<string, LoggedStep[]>,
): void {
  const commanded = [...logged.values()]
    .map((steps) => steps.find(({ step }) => step === 'created'))
    .filter((step) => step !== undefined)
    .sort((left, right) => (BigInt(left.time) < BigInt(right.time) ? -1 : 1));
  const performed = log.filter(({ outcome }) => outcome === 'performed');
  for (const topic of new Set(commanded.map((step) => step.topic))) {
    const isPerformed = new Set(performed.map(({ id }) => id));
    const wanted = commanded.filter((step) => step.topic === topic).map(({ id }) => id);
    const done = performed.filter((action) => action.topic === topic).map(({ id }) => id);
    // A device that relies on QoS 2 may miss the last one, where that is told as uncertain.
    if (acknowledges) expect(done.at(-1), topic).toBe(wanted.at(-1));
    expect(done, topic).toEqual(wanted.filter((id) => isPerformed.has(id)));
  }
}

function compare(
  rig: ActionRig,
  acknowledges: boolean,
  log: readonly PerformedAction[],
  logged: ReadonlyMap<string, LoggedStep[]>,
): { performed: number; failed: Record<string, number> } {
  const performed = new Map<string, number>();
  for (const { id, outcome } of log) if (outcome === 'performed') performed.set(id, (performed.get(id) ?? 0) + 1);
  const faults: string[] = [];
  const failed: Record<string, number> = {};
  for (const [id, steps] of logged) {
    const ends = endsOf(steps, acknowledges);
    // One that was superseded may have been performed all the same: then its device still says so.
    const [end, ...others] = ends[0]?.code === 'superseded' && ends.length > 1 ? ends.slice(1) : ends;
    if (!end || others.length > 0) faults.push(`${id} has ${others.length + 1} ends: ${JSON.stringify(steps)}`);
    if (!end) continue;
    const [least, most] = allowed(end);
    const times = performed.get(id) ?? 0;
    if (times < least || times > most) faults.push(`${id} was performed ${times} times: ${JSON.stringify(steps)}`);
    if (end.code !== undefined) failed[end.code] = (failed[end.code] ?? 0) + 1;
  }
  for (const id of performed.keys()) if (!logged.has(id)) faults.push(`${id} was performed and never logged`);
  for (const output of ['published', 'acknowledged', 'failed'] as const) {
    for (const { action } of rig.reports(output)) {
      const steps = logged.get(action.id) ?? [];
      if (!steps.some(({ step }) => step === output))
        faults.push(`${action.id} was reported as ${output}, but not logged`);
    }
  }
  expect(faults).toEqual([]);
  return { performed: performed.size, failed };
}
