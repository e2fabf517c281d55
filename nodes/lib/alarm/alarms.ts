import type { Alarm, Change, Said, Source } from './alarm';
import type { AlarmStore } from './alarm-store';
import { ClockSetting } from './clock';
import { Deadlines } from './deadlines';
import { Delivery, type Deliver, type DeliveryOptions, type Outcome } from './delivery';
import { KeptAlarms } from './kept-alarms';
import { Listening } from './listening';
import * as machine from './machine';
import { alarmOf, follow, newRecord, type AlarmRecord, type Turning } from './record';
import { expectWithin, hear, moveClock, SILENT_AFTER } from './silence';
import { Stamps } from './stamps';
import { turnsUnderWay, waitsGoingOn } from './start';
import { WakeUp } from './wake-up';

export interface AlarmsOptions extends DeliveryOptions {
  store: AlarmStore;
  /** Id of the `alarm-state` node: whose alarms these are. */
  node: string;
  delays: machine.Delays;
  /** Whether there is a registry to ask for intervals. */
  hasRegistry(): boolean;
  /** How often messages are expected on a topic, in milliseconds, by the registry as it is now. */
  intervalOf(topic: string): number | undefined;
}

/**
 * The alarms of one `alarm-state` node. Decides at once and in the order of the messages; what follows is written to the
 * store first and delivered then, so that no state is reported that a crash could take back.
 */
export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #kept: KeptAlarms;
  readonly #listening: Listening;
  readonly #stamps: Stamps;
  /** Changes of state that must last. */
  readonly #turns = new Deadlines();
  /** Those from whom something is expected. */
  readonly #awaited: Deadlines;
  readonly #delivery: Delivery;
  readonly #wakeUp: WakeUp;
  readonly #clockSetting: ClockSetting;
  /** It is known from whom something is expected. */
  #isWaiting = false;

  private constructor(options: AlarmsOptions, kept: KeptAlarms, listening: Listening, awaited: Deadlines) {
    this.#options = options;
    this.#kept = kept;
    this.#listening = listening;
    this.#awaited = awaited;
    this.#clockSetting = new ClockSetting(options.clock);
    this.#stamps = Stamps.of(options.store);
    this.#stamps.learn(kept.all());
    this.#delivery = new Delivery(options, {
      settle: (arrived) => kept.settle(arrived),
      wakeBy: (moment) => this.#wakeUp.by(moment),
    });
    const next = () => Math.min(this.#turns.next(), this.#awaited.next(), this.#delivery.next());
    this.#wakeUp = new WakeUp(options.clock, next, () => this.#catchUp());
  }

  /**
   * Takes up the alarms where they were left; see {@link turnsUnderWay} and {@link waitsGoingOn}.
   *
   * @throws PackError `store-unavailable`
   */
  static async open(options: AlarmsOptions): Promise<Alarms> {
    const kept = await KeptAlarms.open(options.store, options.node);
    try {
      const awaited = new Deadlines();
      const listening = await Listening.open({ ...options, isNeeded: () => awaited.next() < Infinity });
      const alarms = new Alarms(options, kept, listening, awaited);
      alarms.#start();
      return alarms;
    } catch (error) {
      kept.close();
      throw error;
    }
  }

  #start(): void {
    const { clock, delays } = this.#options;
    const records = [...this.#kept.all()];
    for (const { id, length, from } of turnsUnderWay(records, delays, clock)) this.#turns.start(id, length, from);
    this.#listening.takeUp(records);
    this.registryChanged();
    this.#delivery.payOwed(this.#kept.owed());
    this.#wakeUp.set();
  }

  /** Takes in a verified message. A sensor is remembered only if it has an interval. */
  report(source: Source, said: Said, deliver: Deliver<Outcome>): void {
    const { delays } = this.#options;
    this.#catchUp();
    const known = this.#kept.get(source.topic);
    const interval = this.#options.intervalOf(source.topic);
    if (known === undefined && said.active === undefined && interval === undefined) {
      this.#delivery.nothing('unwatched', deliver);
      return;
    }
    const at = this.#now();
    const record = known ?? newRecord(source, at.now);
    if (!machine.isNewer(record, said)) {
      const meaning = machine.meaningOfOld(record, said);
      this.#decide(record, { changes: [], meaning, alarm: alarmOf(record), source: record.source }, false, deliver);
      return;
    }
    if (known === undefined) this.#kept.add(record);
    const { turning, forgotten, patience } = record;
    // A reading moves nothing on but its time, which is not worth writing for each: after a restart an old one can pass
    // for new until a new one has come, and so put off that its sensor is silent, but not end a silence that was reported.
    const isFirst = known === undefined || forgotten === true || patience !== undefined;
    const isNews = isFirst || said.active !== undefined || record.interval !== interval;
    const hasMoved = follow(record, source);
    const { changes, meaning } = machine.takeIn(record, said, delays, at);
    this.#hear(record, interval, at.now);
    this.#scheduleTurn(record, turning);
    // Nor is anything to be told of it.
    const alarm = meaning === 'alive' ? undefined : alarmOf(record);
    const outcome: Outcome = { changes, meaning, alarm, source: record.source };
    this.#decide(record, outcome, isNews || hasMoved || changes.length > 0, deliver);
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
    this.#command(id, deliver, (record, at) => {
      if (!machine.isActive(record) || record.acknowledged) return undefined;
      return since === undefined || since === record.since ? machine.acknowledge(record, by, at) : undefined;
    });
  }

  /** An operator says that an alarm is over, though nobody has reported it: its device is gone. */
  forget(id: string, { by }: { by?: string | undefined }, deliver: Deliver<Outcome>): void {
    this.#command(id, deliver, (record, at) => {
      if (record.forgotten === true) return undefined;
      this.#awaited.stop(id);
      this.#turns.stop(id);
      return machine.forget(record, by, at);
    });
  }

  #command(
    id: string,
    deliver: Deliver<Outcome>,
    act: (record: AlarmRecord, at: machine.Moment) => Change | undefined,
  ): void {
    this.#catchUp();
    const record = this.#kept.get(id);
    if (record === undefined) {
      this.#delivery.nothing('unknown-alarm', deliver);
      return;
    }
    const change = act(record, this.#now());
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
    const active = [...this.#kept.all()].filter(machine.isActive).map(alarmOf);
    return active.sort((one, other) => one.since - other.since);
  }

  /** How many alarms are raised, silent, and not yet acknowledged though they are either. */
  totals(): { raised: number; silent: number; unacknowledged: number } {
    const totals = { raised: 0, silent: 0, unacknowledged: 0 };
    for (const record of this.#kept.all()) {
      if (!machine.isActive(record)) continue;
      if (record.state === 'raised') totals.raised += 1;
      if (record.silent) totals.silent += 1;
      if (!record.acknowledged) totals.unacknowledged += 1;
    }
    return totals;
  }

  /** Intervals may have come, gone or changed; what was raised stays so, whether it is still registered or not. */
  registryChanged(): void {
    const { clock } = this.#options;
    if (!this.#options.hasRegistry()) return;
    const intervalOf = (topic: string) => this.#options.intervalOf(topic);
    const changed: AlarmRecord[] = [];
    if (!this.#isWaiting) {
      this.#isWaiting = true;
      const { waits, resumed } = waitsGoingOn(this.#kept.all(), intervalOf, this.#listening, clock);
      for (const { id, length, from } of waits) this.#awaited.start(id, length, from);
      changed.push(...resumed);
    }
    for (const record of this.#kept.all()) {
      const interval = intervalOf(record.source.topic);
      if (record.interval === interval) continue;
      expectWithin(record, interval, clock.wall());
      this.#await(record);
      changed.push(record);
    }
    if (changed.length > 0) void this.#kept.put(changed, { sync: false });
    this.#listening.start();
    this.#wakeUp.set();
  }

  /** Delivers what was held. */
  resume(): void {
    this.#delivery.resume();
    this.#wakeUp.set();
  }

  /** Stops all clocks; resolves when what has been decided is delivered. */
  async close(): Promise<void> {
    this.#followClock();
    this.#wakeUp.stop();
    await this.#delivery.close();
    await this.#listening.close();
    this.#kept.close();
  }

  #now(): machine.Moment {
    return { now: this.#options.clock.wall(), stamps: this.#stamps };
  }

  #hear(record: AlarmRecord, interval: number | undefined, now: number): void {
    hear(record, interval, now);
    if (record.reading) this.#listening.watch(record);
    this.#await(record);
  }

  /** Waits one and a half intervals from now. */
  #await(record: AlarmRecord): void {
    const { interval, source, silent, forgotten } = record;
    if (interval === undefined || silent || forgotten === true) {
      this.#awaited.stop(source.topic);
      return;
    }
    const now = this.#options.clock.steady();
    this.#awaited.start(source.topic, interval * SILENT_AFTER, now);
    this.#wakeUp.by(now + interval * SILENT_AFTER);
    this.#listening.start();
  }

  /** @param before - the change that was under way before the message */
  #scheduleTurn(record: AlarmRecord, before: Turning | undefined): void {
    const { turning } = record;
    const { topic } = record.source;
    if (turning === before) return;
    this.#turns.stop(topic);
    if (turning === undefined) return;
    const delay = machine.delayOf(record, this.#options.delays);
    const now = this.#options.clock.steady();
    this.#turns.start(topic, delay, now);
    this.#wakeUp.by(now + delay);
  }

  /** Does what is due by now, so that it comes before whatever comes next. */
  #catchUp(): void {
    this.#followClock();
    if (!this.#wakeUp.isDue) return;
    const now = this.#options.clock.steady();
    const at = this.#now();
    const due = [
      ...this.#turns.take(now).map((one) => ({ ...one, happens: machine.turn })),
      ...this.#awaited.take(now).map((one) => ({ ...one, happens: machine.fallSilent })),
    ];
    for (const { key, happens } of due.sort((one, other) => one.at - other.at)) {
      const record = this.#kept.get(key);
      if (record === undefined) continue;
      const change = happens(record, at);
      const debt = { change, source: record.source };
      this.#delivery.announce(debt, this.#kept.put([record], { sync: true, owed: [debt] }));
    }
    this.#delivery.turn(now);
    this.#wakeUp.set();
  }

  /** What is waited for here does not depend on the clock; but after the next start it is all there is to go by. */
  #followClock(): void {
    const jump = this.#clockSetting.jump();
    if (jump === 0) return;
    const records = [...this.#kept.all()];
    for (const record of records) moveClock(record, jump);
    void this.#kept.put(records, { sync: false });
    void this.#listening.writeAll();
  }

  #decide(record: AlarmRecord, outcome: Outcome, mustBeStored: boolean, deliver: Deliver<Outcome>): void {
    const owed = outcome.changes.map((change) => ({ change, source: record.source }));
    const stored = mustBeStored ? this.#kept.put([record], { sync: true, owed }) : undefined;
    this.#delivery.outcome(outcome, owed, stored, deliver);
  }
}
