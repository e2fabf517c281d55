/** A number for each name, such as rejected messages for each code. */
export type Tally = Record<string, number>;

/** Adds one to a name's number. */
export function tally(numbers: Tally, name: string): void {
  numbers[name] = (numbers[name] ?? 0) + 1;
}

/** The sum of a tally. */
export function total(numbers: Tally): number {
  let sum = 0;
  for (const name in numbers) sum += numbers[name] ?? 0;
  return sum;
}

/**
 * What became of the messages of one node: `received = passed + rejected + failed + pending`, at any moment.
 */
export class MessageCounters {
  readonly type: string;
  received = 0;
  /** Sent on, by what they are: `verified`, a kind, `accepted`. */
  readonly passed: Tally = {};
  /** Sent to the rejected output, by code. */
  readonly rejected: Tally = {};
  /** Ended in an error, by code. */
  readonly failed: Tally = {};
  /** Taken on, but not decided yet. */
  pending = 0;

  constructor(type: string) {
    this.type = type;
  }
}

// Kept for the life of the process, not of a deploy: the sums across nodes must still hold after one of them is redeployed.
const countersByNode = new Map<string, MessageCounters>();

/** The counters of a node; they outlive its redeploys. */
export function countersOf(node: { id: string; type: string }): MessageCounters {
  let counters = countersByNode.get(node.id);
  if (counters?.type !== node.type) {
    counters = new MessageCounters(node.type);
    countersByNode.set(node.id, counters);
  }
  return counters;
}

/** Forgets the counters of a node that was removed from the flows. */
export function forgetCounters(id: string): void {
  countersByNode.delete(id);
}

/** Every node's counters, by node id. */
export function allCounters(): ReadonlyMap<string, MessageCounters> {
  return countersByNode;
}
