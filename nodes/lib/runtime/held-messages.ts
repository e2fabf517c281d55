import type { NodeMessageInFlow } from 'node-red';

interface Held {
  node: string;
  message: NodeMessageInFlow;
  bytes: number;
}

/** What a message takes beside the bytes of its data, about. */
const OVERHEAD = 500;
/** The properties that grow with what a device sends. */
const LARGE = ['topic', 'payload', 'received', 'verified', 'point', 'rejected'] as const;
const DEPTH = 5;

/** Messages that wait for nodes, in the order they came, up to a limit: the oldest make room. */
export class HeldMessages {
  readonly #limit: { messages: number; bytes: number };
  readonly #dropped: (messages: number) => void;
  #held: Held[] = [];
  #bytes = 0;

  /** @param dropped - is told how many had to go, each time */
  constructor(limit: { messages: number; bytes: number }, dropped: (messages: number) => void) {
    this.#limit = limit;
    this.#dropped = dropped;
  }

  add(node: string, message: NodeMessageInFlow): void {
    const bytes = sizeOf(message);
    this.#held.push({ node, message, bytes });
    this.#bytes += bytes;
    if (this.#held.length > this.#limit.messages || this.#bytes > this.#limit.bytes) this.#makeRoom();
  }

  /** Takes out what the function accepts; the rest waits on. */
  takeOut(accepts: (node: string) => boolean): { node: string; message: NodeMessageInFlow }[] {
    const taken = this.#held.filter(({ node }) => accepts(node));
    this.#held = this.#held.filter(({ node }) => !accepts(node));
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken;
  }

  /** More than it has to, so that a full list is not moved for every message. */
  #makeRoom(): void {
    const messages = this.#limit.messages * 0.9;
    const bytes = this.#limit.bytes * 0.9;
    let count = 0;
    for (const oldest of this.#held) {
      if (this.#held.length - count <= messages && this.#bytes <= bytes) break;
      this.#bytes -= oldest.bytes;
      count += 1;
    }
    this.#held.splice(0, count);
    this.#dropped(count);
  }
}

/** About how much memory a message takes. */
function sizeOf(message: NodeMessageInFlow): number {
  const values = message as unknown as Record<string, unknown>;
  return LARGE.reduce((bytes, name) => bytes + sizeOfValue(values[name], DEPTH), OVERHEAD);
}

function sizeOfValue(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null || depth === 0) return 8;
  return Object.values(value).reduce((bytes: number, member) => bytes + 8 + sizeOfValue(member, depth - 1), 0);
}
