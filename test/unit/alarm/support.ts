import type { Change, Said, Source } from '../../../nodes/lib/alarm/alarm';
import { Alarms, type AlarmsOptions } from '../../../nodes/lib/alarm/alarms';
import type { Announcement, Outcome } from '../../../nodes/lib/alarm/delivery';
import type { Notice } from '../../../nodes/lib/alarm/notices';
import type { TopicRules } from '../../../nodes/lib/alarm/rules';
import type { Store } from '../../../nodes/lib/store/store';
import { openStore } from '../store/support';
import { FakeClock } from './fake-clock';

export const START = 1_800_000_000_000;

/** Milliseconds that a change is on its way at least, and half of those after which it has arrived. */
export const ON_ITS_WAY = 5000;

/** Nanoseconds of a moment so many milliseconds after the start. */
export function signed(milliseconds: number, nanoseconds = 0): string {
  return String(BigInt(START + milliseconds) * 1_000_000n + BigInt(nanoseconds));
}

export function sourceOf(device: string, measurement = 'alarms'): Source {
  const tags = { site: 'hall', device, alarm: 'smoke' };
  return { topic: `${measurement}/hall/${device}`, bucket: 'events', measurement, tags };
}

export type Delivered =
  { outcome: Outcome; error: string | undefined } | { announcement: Announcement; error: string | undefined };

/** The alarms of one node under a clock of the test, and all that they deliver. */
export class AlarmRig {
  readonly clock = new FakeClock(START);
  readonly delivered: Delivered[] = [];
  readonly intervals = new Map<string, number>();
  /** What the registry says of every topic, beside its interval. */
  rules: Partial<TopicRules> = {};
  readonly notices: Notice[] = [];
  hasRegistry = true;
  /** Nothing is to be delivered now. */
  isHeld = false;
  alarms!: Alarms;
  #store!: Store;
  readonly #directory: string;
  readonly #options: Partial<AlarmsOptions>;

  private constructor(directory: string, options: Partial<AlarmsOptions>) {
    this.#directory = directory;
    this.#options = options;
  }

  static async open(directory: string, options: Partial<AlarmsOptions> = {}): Promise<AlarmRig> {
    const rig = new AlarmRig(directory, options);
    await rig.start();
    return rig;
  }

  async start(): Promise<void> {
    let ended = false;
    this.#end = () => (ended = true);
    this.#store = await openStore(this.#directory);
    this.alarms = await Alarms.open({
      store: this.#store,
      node: 'node',
      delays: { on: 0, off: 0 },
      hasRegistry: () => this.hasRegistry,
      rulesOf: (topic) =>
        this.hasRegistry
          ? { entry: 'alarms', future: 60_000, ...this.rules, interval: this.intervals.get(topic) }
          : undefined,
      notice: (notice) => this.notices.push(notice),
      isHeld: () => this.isHeld,
      clock: this.clock,
      announce: (announcement, error) => {
        if (!ended) this.delivered.push({ announcement, error: error?.code });
      },
      ...this.#options,
    });
  }

  #end: () => void = () => undefined;

  /** Lets so many milliseconds pass, and then what has been handed to the store be written. */
  async pass(milliseconds: number): Promise<void> {
    this.clock.moveTo(this.clock.wall() + milliseconds);
    await this.written();
  }

  /** All that has been handed to the store is in it, and whoever waited for that has been told. */
  async written(): Promise<void> {
    await this.#store.batch([], { sync: false });
    await new Promise(setImmediate);
  }

  /** What is decided but not delivered yet never will be, as after `kill -9`. */
  crash(): void {
    this.#end();
    this.clock.dropTimers();
  }

  report(source: Source, said: Said): Promise<Outcome> {
    return new Promise((resolve) =>
      this.alarms.report(source, said, (outcome, error) => {
        this.delivered.push({ outcome, error: error?.code });
        resolve(outcome);
      }),
    );
  }

  /** Lets an alarm say something; resolves with what came of it: the changes, or what it meant. */
  async say(source: Source, time: number, active: boolean | undefined, severity?: string): Promise<string> {
    return summary(await this.report(source, { time: signed(time), active, severity }));
  }

  acknowledge(id: string, by?: string, since?: number): Promise<Outcome> {
    return new Promise((resolve) => this.alarms.acknowledge(id, { by, since }, resolve));
  }

  forget(id: string, by?: string): Promise<Outcome> {
    return new Promise((resolve) => this.alarms.forget(id, { by }, resolve));
  }

  /** Changes that no message has brought. */
  announcements(): Announcement[] {
    return this.delivered.flatMap((one) => ('announcement' in one ? [one.announcement] : []));
  }

  announced(): string[] {
    return this.announcements().map(({ change, again }) => `${change.event}${again ? ' again' : ''}`);
  }

  changes(): Change[] {
    return this.delivered.flatMap((one) => ('announcement' in one ? [one.announcement.change] : one.outcome.changes));
  }
}

export function summary({ changes, meaning }: Outcome): string {
  return changes.length === 0 ? meaning : changes.map(({ event }) => event).join(', ');
}
