import type { NodeAPI, NodeMessageInFlow } from 'node-red';
import { Listeners, nodeOf } from './config-nodes';
import { HeldMessages } from './held-messages';
import { MinuteLog } from './minute-log';

const LIMIT = { messages: 100_000, bytes: 64 * 1024 * 1024 };

/** Milliseconds to wait for what config nodes read. */
const LONGEST_READING = 60_000;

/** What core says of its state, beside the events of the flows. */
interface RuntimeEvent {
  id?: string;
  payload?: { state?: string; deploy?: boolean };
}

/**
 * Keeps messages from getting lost in a deploy. While core stops some nodes and starts others, a message that is sent to
 * a stopped node simply vanishes; so what reaches a node of this pack meanwhile waits at its door, and is handed to the
 * node of the same id once the deploy is over. What waits for a node that has not come back waits on.
 */
export class DeployGate {
  readonly ended = new Listeners();
  readonly #RED: NodeAPI;
  readonly #held: HeldMessages;
  // The first to ask is a node that is being made, so the flows are just being started.
  #deploying = true;
  #stopping = false;
  /** What config nodes are still reading for the first time, and whether the deploy has ended but for that. */
  readonly #reading = new Set<Promise<unknown>>();
  #endsWhenRead = false;

  constructor(RED: NodeAPI, limit = LIMIT) {
    this.#RED = RED;
    const log = new MinuteLog((text) => RED.log.warn(text));
    this.#held = new HeldMessages(limit, (messages) =>
      log.say('dropped', `mqtt2influx: ${messages} messages dropped that waited for the end of a deploy: too many`),
    );
    RED.events.on('flows:stopping', () => {
      this.#deploying = true;
      this.#stopping = true;
      this.#endsWhenRead = false;
    });
    RED.events.on('flows:stopped', () => {
      this.#stopping = false;
    });
    RED.events.on('flows:starting', () => {
      this.#deploying = true;
      this.#endsWhenRead = false;
    });
    RED.events.on('flows:started', () => this.#end());
    RED.events.on('runtime-event', (event: RuntimeEvent) => {
      if (endsDeploy(event)) this.#end();
    });
  }

  get deploying(): boolean {
    return this.#deploying;
  }

  /** Takes the message if a deploy is going on. */
  holds(node: string, message: NodeMessageInFlow): boolean {
    if (this.#deploying) this.#held.add(node, message);
    return this.#deploying;
  }

  /**
   * Holds messages back until something has been read as well: a registry or a device-key file, without which no message
   * can be judged. While no deploy is going on nothing is held: whoever reads something again has the version before.
   */
  waitFor(reading: Promise<unknown>): void {
    if (!this.#deploying) return;
    this.#reading.add(reading);
    const read = (): void => {
      clearTimeout(timer);
      this.#reading.delete(reading);
      if (this.#endsWhenRead) this.#end();
    };
    // A file system that does not answer must not stop everything else.
    const timer = setTimeout(read, LONGEST_READING);
    reading.then(read, read);
  }

  /** The node has been deleted: it does not come back. */
  forget(node: string): void {
    const { length } = this.#held.takeOut((id) => id === node);
    if (length > 0) this.#RED.log.warn(`mqtt2influx: ${length} messages dropped that were on their way to ${node}`);
  }

  #end(): void {
    // Core does not wait for one deploy to start before it begins the next: this is the end of the one before.
    if (!this.#deploying || this.#stopping) return;
    this.#endsWhenRead = this.#reading.size > 0;
    if (this.#endsWhenRead) return;
    this.#deploying = false;
    this.ended.notify();
    for (const { node, message } of this.#held.takeOut((id) => Boolean(nodeOf(this.#RED, id)))) {
      nodeOf(this.#RED, node)?.receive(message);
    }
  }
}

/**
 * A deploy can end without `flows:started`: when a node type or a module is missing, what has been stopped stays so, and
 * the rest runs on. `runtime-deploy` is the end of every deploy. When the flows are stopped by hand there is none, but a
 * state that is not part of a deploy.
 */
function endsDeploy({ id, payload }: RuntimeEvent): boolean {
  return id === 'runtime-deploy' || (id === 'runtime-state' && payload?.state === 'stop' && !payload.deploy);
}

const gates = new WeakMap<NodeAPI['events'], DeployGate>();

/** The gate of this Node-RED. */
export function deployGate(RED: NodeAPI): DeployGate {
  let gate = gates.get(RED.events);
  if (!gate) {
    gate = new DeployGate(RED);
    gates.set(RED.events, gate);
  }
  return gate;
}

/** Whether core is stopping and starting nodes: what a node sends meanwhile may find nobody there. */
export function isDeploying(RED: NodeAPI): boolean {
  return deployGate(RED).deploying;
}

/**
 * Calls back at the end of each deploy, however it ends, and once the flows have started; before the messages that were
 * held come in.
 *
 * @returns the function that stops this
 */
export function afterDeploy(RED: NodeAPI, callback: () => void): () => void {
  return deployGate(RED).ended.add(callback);
}
