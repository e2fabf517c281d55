import type { NodeAPI, NodeMessageInFlow } from 'node-red';
import { nodeOf } from './config-nodes';

interface Held {
  node: string;
  message: NodeMessageInFlow;
}

/**
 * Keeps messages from getting lost in a deploy. While core stops some nodes and starts others, a message that is sent to
 * a stopped node simply vanishes; so what reaches a node of this pack meanwhile waits at its door, and is handed to the
 * node of the same id once the flows have started again.
 */
class DeployGate {
  #deploying = false;
  #held: Held[] = [];

  constructor(RED: NodeAPI) {
    RED.events.on('flows:stopping', () => {
      this.#deploying = true;
    });
    RED.events.on('flows:started', () => {
      this.#deploying = false;
      const held = this.#held;
      this.#held = [];
      for (const { node, message } of held) nodeOf(RED, node)?.receive(message);
    });
  }

  /** Takes the message if a deploy is going on. */
  holds(node: string, message: NodeMessageInFlow): boolean {
    if (this.#deploying) this.#held.push({ node, message });
    return this.#deploying;
  }
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
