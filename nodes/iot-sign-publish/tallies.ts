import { isFinal, stateOf, type ActionRecord } from '../lib/action/record';
import { tally, total, type Tally } from '../lib/runtime/counters';
import type { Metric } from '../lib/runtime/prometheus';

/**
 * What became of the actions and alarms of one node, and of the answers to them. At any moment
 * `created + recovered = completed + failed + pending` and `answers received = accepted + rejected`.
 */
export class Tallies {
  created = 0;
  /** Found in the store after a restart. */
  recovered = 0;
  /** By the step that was the last: `published` or `acknowledged`. */
  readonly completed: Tally = {};
  /** By code. */
  readonly failed: Tally = {};
  readonly #pending = new Set<string>();
  answersReceived = 0;
  answersAccepted = 0;
  /** By code. */
  readonly answersRejected: Tally = {};

  get pending(): number {
    return this.#pending.size;
  }

  get done(): number {
    return total(this.completed);
  }

  create({ id }: Pick<ActionRecord, 'id'>): void {
    this.created++;
    this.#pending.add(id);
  }

  /** It was not stored: there is no such action. */
  withdraw({ id }: Pick<ActionRecord, 'id'>): void {
    this.created--;
    this.#pending.delete(id);
  }

  find({ id }: ActionRecord): void {
    if (this.#pending.has(id)) return;
    this.recovered++;
    this.#pending.add(id);
  }

  /** A step has been reached; one that was counted before is not counted again. */
  reach(action: ActionRecord): void {
    if (!isFinal(action) || !this.#pending.delete(action.id)) return;
    if (action.failure) tally(this.failed, action.failure.code);
    else tally(this.completed, stateOf(action));
  }

  /** @param waiting - actions that wait for an older one of their topic */
  metrics(node: string, waiting: number): Metric[] {
    const labels = { node };
    const counter = (name: string, help: string, value: number): Metric => ({
      name: `mqtt2influx_${name}_total`,
      help,
      type: 'counter',
      samples: [{ labels, value }],
    });
    const byName = (name: string, help: string, label: string, numbers: Tally): Metric => ({
      name: `mqtt2influx_${name}_total`,
      help,
      type: 'counter',
      samples: Object.entries(numbers).map(([key, value]) => ({ labels: { ...labels, [label]: key }, value })),
    });
    return [
      counter('actions_created', 'Actions and alarms taken over', this.created),
      counter('actions_recovered', 'Actions and alarms found in the store after a restart', this.recovered),
      byName(
        'actions_completed',
        'Actions and alarms that came to a good end, by their last step',
        'step',
        this.completed,
      ),
      byName('actions_failed', 'Actions and alarms that were given up, by code', 'code', this.failed),
      {
        name: 'mqtt2influx_actions_pending',
        help: 'Actions and alarms that are not over',
        type: 'gauge',
        samples: [{ labels, value: this.pending }],
      },
      {
        name: 'mqtt2influx_actions_waiting',
        help: 'Of the pending ones: actions that wait for an older one of their topic',
        type: 'gauge',
        samples: [{ labels, value: waiting }],
      },
      counter('acknowledgements_received', 'Answers of devices', this.answersReceived),
      counter('acknowledgements_accepted', 'Answers to an action that waited for it', this.answersAccepted),
      byName('acknowledgements_rejected', 'Answers that changed nothing, by code', 'code', this.answersRejected),
    ];
  }
}

// Kept for the life of the process, as all counters are: a deploy must not make the sums wrong.
const known = new Map<string, Tallies>();

export function talliesOf(node: string): Tallies {
  const tallies = known.get(node) ?? new Tallies();
  known.set(node, tallies);
  return tallies;
}

/** The node was removed from the flows. */
export function forgetTallies(node: string): void {
  known.delete(node);
}
