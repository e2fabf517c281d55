import type { NodeStatus } from 'node-red';
import { shorten } from '../shorten';

/** What a node can say of itself; the colours and shapes are those the core nodes use. */
export type StatusIntent = 'idle' | 'ok' | 'working' | 'connecting' | 'warning' | 'trouble' | 'misconfigured';

const LOOKS: Record<StatusIntent, Pick<NodeStatus, 'fill' | 'shape'>> = {
  idle: { fill: 'grey', shape: 'ring' },
  ok: { fill: 'green', shape: 'dot' },
  working: { fill: 'blue', shape: 'dot' },
  connecting: { fill: 'yellow', shape: 'ring' },
  warning: { fill: 'yellow', shape: 'dot' },
  trouble: { fill: 'red', shape: 'ring' },
  misconfigured: { fill: 'red', shape: 'dot' },
};

/** Whatever can show a status: a node. */
interface Shown {
  status(status: NodeStatus): void;
}

export interface StatusView {
  intent: StatusIntent;
  text: string;
}

/** Often enough for a person; once a message would send every number to every open editor. */
const INTERVAL = 1000;
/** A status tells of the last minutes, which go by also while nothing happens. */
const REFRESH = 10_000;

/**
 * Shows a node's status at most once a second, and only when it has changed.
 */
export class StatusDisplay {
  readonly #node: Shown;
  readonly #view: () => StatusView;
  readonly #refresh = setInterval(() => this.#show(), REFRESH).unref();
  #timer: NodeJS.Timeout | undefined;
  #shown = '';

  /** @param view - makes the status to show, when it is time to show it */
  constructor(node: Shown, view: () => StatusView) {
    this.#node = node;
    this.#view = view;
    this.#show();
  }

  /** Something has changed. Cheap: called for every message. */
  touch(): void {
    this.#timer ??= setTimeout(this.#due, INTERVAL);
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    this.#show();
  };

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#refresh);
    this.#timer = undefined;
  }

  #show(): void {
    const { intent, text } = this.#view();
    const shown = `${intent} ${text}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#node.status({ ...LOOKS[intent], text });
  }
}

const digits = new Intl.NumberFormat('en-US');

/** A count as a person reads it: `12,431`. */
export function count(value: number): string {
  return digits.format(value);
}

/** Characters that do not lie over the next node; the log or the error has the rest. */
export const STATUS_WIDTH = 25;

/** What InfluxDB or the store says, cut so that it fits into a status. */
export function shortened(reason: string): string {
  return shorten(reason, STATUS_WIDTH);
}

/** The end of a name, which tells it from others. */
export function tailOf(name: string, width: number): string {
  return name.length <= width ? name : `…${name.slice(1 - Math.max(2, width))}`;
}
