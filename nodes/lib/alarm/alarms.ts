import type { PackError } from '../errors';
import type { Store } from '../store/store';
import type { Alarm, Change, Said, Source } from './alarm';
import type { Clock } from './clock';
import { Deadlines } from './deadlines';
import { InOrder } from './in-order';
import { KeptAlarms } from './kept-alarms';
import { acknowledge, delayOf, fallSilent, forget, isActive, takeIn, turn, type Delays, type Meaning } from './machine';
import { alarmOf, newRecord, type AlarmRecord, type Turning } from './record';

/** What became of a message. */
export interface Outcome {
  /** What it changed, in order; mostly nothing. */
  changes: Change[];
  /** What it meant, if it changed nothing. */
  meaning: Meaning | 'unwatched' | 'unknown-alarm' | 'not-active';
  /** The alarm as it is now; undefined for one that is not known, and for a reading, of which nothing is to be told. */
  alarm: Alarm | undefined;
  /** Whose it is; undefined where nothing can have changed. */
  source: Source | undefined;
}

/** A change that no message has brought: a delay or an interval has passed, or it was still owed when the process ended. */
export interface Announcement {
  change: Change;
  source: Source;
  /** It may have been announced before. */
  again: boolean;
}

/**
 * Called once a message, in the order in which messages and changes came, when what follows from them is on the disk. With
 * an error it is not: then it holds all the same, and is lost if the process ends before the store works again.
 */
export type Deliver<What> = (what: What, error: PackError | undefined) => void;

export interface AlarmsOptions {
  store: Store;
  /** Id of the `alarm-state` node: whose alarms these are. */
  node: string;
  delays: Delays;
  /** How often messages are expected on a topic, in milliseconds, by the registry as it is now. */
  intervalOf(topic: string): number | undefined;
  clock: Clock;
  announce: Deliver<Announcement>;
}

/**
 * A device counts as silent when nothing has come for its interval and half of it again. So one that is a little late is
 * not reported, and one that stops is, half an interval after its message was due.
 */
export const SILENT_AFTER = 1.5;

/** Milliseconds after which a change that has left the node is taken to have arrived: influx-write has it on disk by then. */
const ARRIVED_AFTER = 1000;

/**
 * The alarms of one `alarm-state` node. Decides at once and in the order of the messages; what follows is written to the
 * store first and delivered then, so that no state is reported that a crash could take back. A change is kept until it has
 * surely left: after a crash it is announced again rather than never.
 */
export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #kept: KeptAlarms;
  /** Changes of state that must last. */
  readonly #turns = new Deadlines();
  /** Those from whom something is expected. */
  readonly #awaited = new Deadlines();
  /** Alarms with changes that were delivered and are still kept. */
  readonly #leaving = new Deadlines();
  readonly #delivered = new Set<Change>();
  readonly #inOrder = new InOrder<PackError>();
  #wakeAt = Infinity;
  #endWait: (() => void) | undefined;
  #closed = false;

  private constructor(options: AlarmsOptions, kept: KeptAlarms) {
    this.#options = options;
    this.#kept = kept;
  }

  /**
   * Takes up the alarms where they were left. Intervals begin anew, as nobody has listened meanwhile; delays go on.
   *
   * @throws PackError `store-unavailable`
   */
  static async open(options: AlarmsOptions): Promise<Alarms> {
    const alarms = new Alarms(options, await KeptAlarms.open(options.store, options.node));
    alarms.#resumeDelays();
    alarms.registryChanged();
    alarms.#payOwed();
    alarms.#wake();
    return alarms;
  }

  #resumeDelays(): void {
    const { clock, delays } = this.#options;
    const now = clock.steady();
    const waiting: { id: string; delay: number; from: number }[] = [];
    for (const record of this.#kept.all()) {
      if (record.turning === undefined) continue;
      const delay = delayOf(record, delays);
      // Whatever the clock has done meanwhile: not more than all of the delay is over, and not less than nothing.
      const over = Math.min(Math.max(clock.wall() - record.turning.from, 0), delay);
      waiting.push({ id: record.source.id, delay, from: now - over });
    }
    waiting.sort((one, other) => one.from - other.from);
    for (const { id, delay, from } of waiting) this.#turns.start(id, delay, from);
  }

  #payOwed(): void {
    const owed = [...this.#kept.all()].flatMap((record) => record.owed.map((change) => ({ record, change })));
    owed.sort((one, other) => (BigInt(one.change.time) < BigInt(other.change.time) ? -1 : 1));
    for (const { record, change } of owed) this.#announce(record, change, true, undefined);
  }

  /** Takes in a verified message. A sensor is remembered only if it has an interval. */
  report(source: Source, said: Said, deliver: Deliver<Outcome>): void {
    const { clock, delays } = this.#options;
    this.#catchUp();
    const known = this.#kept.get(source.id);
    const interval = this.#options.intervalOf(source.topic);
    if (known === undefined && said.active === undefined && interval === undefined) {
      this.#inOrder.add(undefined, () => deliver(nothing('unwatched'), undefined));
      return;
    }
    const record = known ?? newRecord(source, clock.wall());
    if (known === undefined) this.#kept.add(record);
    const { turning, newest, forgotten } = record;
    const { changes, meaning } = takeIn(record, said, delays, clock.wall());
    const isNewer = record.newest !== newest;
    if (isNewer) {
      this.#await(record, interval);
      this.#scheduleTurn(record, turning);
    }
    // A reading moves nothing on but its time, which is not worth writing for each: after a restart an old one can pass
    // for new until a new one has come, and so put off that its sensor is silent, but not end a silence that was reported.
    const isNews = changes.length > 0 || known === undefined || record.forgotten !== forgotten;
    const mustBeStored = isNews || (isNewer && said.active !== undefined);
    // Nor is anything to be told of it.
    const alarm = meaning === 'alive' ? undefined : alarmOf(record);
    this.#decide(record, { changes, meaning, alarm, source: record.source }, mustBeStored, deliver);
  }

  /**
   * An operator has seen an alarm that is raised or silent.
   *
   * @param since - if given, only the alarm that began then is meant, not one that was raised after it
   */
  acknowledge(
    id: string,
    { by, since }: { by?: string | undefined; since?: number | undefined },
    deliver: Deliver<Outcome>,
  ): void {
    this.#command(id, deliver, (record, now) => {
      if (!isActive(record) || record.acknowledged) return undefined;
      return since === undefined || since === record.since ? acknowledge(record, by, now) : undefined;
    });
  }

  /** An operator says that an alarm is over, though nobody has reported it: its device is gone. */
  forget(id: string, { by }: { by?: string | undefined }, deliver: Deliver<Outcome>): void {
    this.#command(id, deliver, (record, now) => {
      if (record.forgotten === true) return undefined;
      this.#awaited.stop(id);
      this.#turns.stop(id);
      return forget(record, by, now);
    });
  }

  #command(id: string, deliver: Deliver<Outcome>, act: (record: AlarmRecord, now: number) => Change | undefined): void {
    this.#catchUp();
    const record = this.#kept.get(id);
    if (record === undefined) {
      this.#inOrder.add(undefined, () => deliver(nothing('unknown-alarm'), undefined));
      return;
    }
    const change = act(record, this.#options.clock.wall());
    const changes = change === undefined ? [] : [change];
    const outcome: Outcome = { changes, meaning: 'not-active', alarm: alarmOf(record), source: record.source };
    this.#decide(record, outcome, changes.length > 0, deliver);
  }

  /** The alarm of this id, if it is known. */
  get(id: string): Alarm | undefined {
    const record = this.#kept.get(id);
    return record && alarmOf(record);
  }

  /** What is raised or silent, the longest standing first. */
  active(): Alarm[] {
    this.#catchUp();
    const active = [...this.#kept.all()].filter(isActive).map(alarmOf);
    return active.sort((one, other) => one.since - other.since);
  }

  /** How many alarms are raised, silent, and not yet acknowledged though they are either. */
  totals(): { raised: number; silent: number; unacknowledged: number } {
    const totals = { raised: 0, silent: 0, unacknowledged: 0 };
    for (const record of this.#kept.all()) {
      if (!isActive(record)) continue;
      if (record.state === 'raised') totals.raised += 1;
      if (record.silent) totals.silent += 1;
      if (!record.acknowledged) totals.unacknowledged += 1;
    }
    return totals;
  }

  /** Intervals may have come, gone or changed; what was raised stays so, whether it is still registered or not. */
  registryChanged(): void {
    for (const record of this.#kept.all()) {
      const { id, topic } = record.source;
      const interval = this.#options.intervalOf(topic);
      const length = interval === undefined ? undefined : interval * SILENT_AFTER;
      if (record.forgotten !== true && this.#awaited.lengthOf(id) !== length) this.#await(record, interval);
    }
  }

  /** Stops all clocks; resolves when what has been decided is delivered. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endWait?.();
    await this.#inOrder.settled();
    this.#kept.close();
  }

  #await(record: AlarmRecord, interval: number | undefined): void {
    const { id } = record.source;
    if (interval === undefined || record.silent) {
      this.#awaited.stop(id);
      return;
    }
    const now = this.#options.clock.steady();
    this.#awaited.start(id, interval * SILENT_AFTER, now);
    this.#wakeBy(now + interval * SILENT_AFTER);
  }

  /** @param before - the change that was under way before the message */
  #scheduleTurn(record: AlarmRecord, before: Turning | undefined): void {
    const { turning } = record;
    const { id } = record.source;
    if (turning === before) return;
    this.#turns.stop(id);
    if (turning === undefined) return;
    const delay = delayOf(record, this.#options.delays);
    const now = this.#options.clock.steady();
    this.#turns.start(id, delay, now);
    this.#wakeBy(now + delay);
  }

  /** Does what is due by now, so that it comes before whatever comes next. */
  #catchUp(): void {
    const now = this.#options.clock.steady();
    if (now < this.#wakeAt || this.#closed) return;
    const wall = this.#options.clock.wall();
    const due = [
      ...this.#turns.take(now).map((one) => ({ ...one, happens: turn })),
      ...this.#awaited.take(now).map((one) => ({ ...one, happens: fallSilent })),
    ];
    for (const { key, happens } of due.sort((one, other) => one.at - other.at)) {
      const record = this.#kept.get(key);
      if (record === undefined) continue;
      const change = happens(record, wall);
      this.#inOrder.add(this.#kept.put([record], { sync: true }), (error) =>
        this.#announce(record, change, false, error),
      );
    }
    this.#release(this.#leaving.take(now).map(({ key }) => key));
    this.#wake();
  }

  /** Has {@link #catchUp} called when the next thing is due. */
  #wake(): void {
    this.#endWait?.();
    this.#endWait = undefined;
    this.#wakeAt = Math.min(this.#turns.next(), this.#awaited.next(), this.#leaving.next());
    if (this.#wakeAt === Infinity || this.#closed) return;
    const { clock } = this.#options;
    this.#endWait = clock.after(this.#wakeAt - clock.steady(), () => {
      // It may be early: timers are not exact, and not as long as an interval can be.
      if (clock.steady() < this.#wakeAt) this.#wake();
      else this.#catchUp();
    });
  }

  #wakeBy(moment: number): void {
    if (moment < this.#wakeAt) this.#wake();
  }

  #announce(record: AlarmRecord, change: Change, again: boolean, error: PackError | undefined): void {
    this.#options.announce({ change, source: record.source, again }, error);
    this.#hasLeft(record, [change]);
  }

  #decide(record: AlarmRecord, outcome: Outcome, mustBeStored: boolean, deliver: Deliver<Outcome>): void {
    this.#inOrder.add(mustBeStored ? this.#kept.put([record], { sync: true }) : undefined, (error) => {
      deliver(outcome, error);
      this.#hasLeft(record, outcome.changes);
    });
  }

  /** Changes have been delivered: a moment later nothing is owed any more. */
  #hasLeft(record: AlarmRecord, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const change of changes) this.#delivered.add(change);
    const now = this.#options.clock.steady();
    this.#leaving.start(record.source.id, ARRIVED_AFTER, now);
    this.#wakeBy(now + ARRIVED_AFTER);
  }

  #release(ids: readonly string[]): void {
    const records = ids.map((id) => this.#kept.get(id)).filter((record) => record !== undefined);
    if (records.length === 0) return;
    for (const record of records) record.owed = record.owed.filter((change) => !this.#delivered.delete(change));
    void this.#kept.put(records, { sync: false });
  }
}

function nothing(meaning: Outcome['meaning']): Outcome {
  return { changes: [], meaning, alarm: undefined, source: undefined };
}
