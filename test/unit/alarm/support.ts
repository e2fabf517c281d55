import type { Change, Said, Source } from '../../../nodes/lib/alarm/alarm';
import { Alarms, type AlarmsOptions } from '../../../nodes/lib/alarm/alarms';
import type { Announcement, Outcome } from '../../../nodes/lib/alarm/delivery';
import { openStore } from '../store/support';
import { FakeClock } from './fake-clock';

export const START = 1_800_000_000_000;

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
  hasRegistry = true;
  /** Nothing is to be delivered now. */
  isHeld = false;
  alarms!: Alarms;
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
    this.alarms = await Alarms.open({
      store: await openStore(this.#directory),
      node: 'node',
      delays: { on: 0, off: 0 },
      hasRegistry: () => this.hasRegistry,
      intervalOf: (topic) => (this.hasRegistry ? this.intervals.get(topic) : undefined),
      isHeld: () => this.isHeld,
      clock: this.clock,
      announce: (announcement, error) => {
        if (!ended) this.delivered.push({ announcement, error: error?.code });
      },
      ...this.#options,
    });
  }

  #end: () => void = () => undefined;

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
