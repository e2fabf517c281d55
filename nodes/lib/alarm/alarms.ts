import type { Alarm, Change, Said, Source } from './alarm';
import type { AlarmStore } from './alarm-store';
import { ClockSetting } from './clock';
import { Deadlines } from './deadlines';
import { Delivery, type Deliver, type DeliveryOptions, type Outcome } from './delivery';
import { Endings } from './endings';
import { KeptAlarms } from './kept-alarms';
import { Listening } from './listening';
import * as machine from './machine';
import { Notices, type Notice } from './notices';
import { alarmOf, follow, newRecord, type AlarmRecord, type Turning } from './record';
import { Room, type RoomLimits } from './room';
import { NO_RULES, type TopicRules } from './rules';
import { expectWithin, hear, moveClock, SILENT_AFTER } from './silence';
import { Stamps } from './stamps';
import { turnsUnderWay, waitsGoingOn } from './start';
import { activeOf, totalsOf, type Totals } from './survey';
import { verdictOn } from './verdict';
import { WakeUp } from './wake-up';

export interface AlarmsOptions extends DeliveryOptions {
  store: AlarmStore;
  /** Id of the `alarm-state` node: whose alarms these are. */
  node: string;
  delays: machine.Delays;
  /** Whether there is a registry to ask for rules. */
  hasRegistry(): boolean;
  /** What the registry, as it is now, says of a topic; undefined for one that it does not have. */
  rulesOf(topic: string): TopicRules | undefined;
  /** Is told of what an operator should know. Must not throw. */
  notice?(notice: Notice): void;
  /** Default: {@link ROOM}. */
  room?: RoomLimits;
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
  /** What ends by itself. */
  readonly #endings: Endings;
  readonly #notices: Notices;
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
    this.#stamps.learn(kept.owed().map(({ change, source }) => ({ source, stamp: change.time })));
    this.#notices = new Notices((notice) => options.notice?.(notice));
    this.#delivery = new Delivery(options, {
      settle: (arrived) => kept.settle(arrived),
      wakeBy: (moment) => this.#wakeUp.by(moment),
    });
    this.#endings = new Endings({
      clock: options.clock,
      rulesOf: (topic) => this.#rulesOf(topic),
      get: (id) => kept.get(id),
      put: (records) => void kept.put(records, { sync: false }),
      wakeBy: (moment) => this.#wakeUp.by(moment),
    });
    const next = () => Math.min(this.#turns.next(), this.#awaited.next(), this.#endings.next(), this.#delivery.next());
    this.#wakeUp = new WakeUp(options.clock, next, () => this.#catchUp());
  }

  /**
   * Takes up the alarms where they were left; see {@link turnsUnderWay} and {@link waitsGoingOn}.
   *
   * @throws PackError `store-unavailable`
   */
  static async open(options: AlarmsOptions): Promise<Alarms> {
    const kept = await KeptAlarms.open(options.store, options.node, new Room(options.room));
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
    this.#notices.addLosses(this.#kept.losses);
    this.registryChanged();
    this.#delivery.payOwed(this.#kept.owed());
    this.#wakeUp.set();
  }

  /** Takes in a verified message. A sensor is remembered only if it has an interval. */
  report(source: Source, said: Said, deliver: Deliver<Outcome>): void {
    this.#catchUp();
    const known = this.#kept.get(source.topic);
    const rules = this.#rulesOf(source.topic);
    if (known === undefined && said.active === undefined && rules.interval === undefined) {
      this.#delivery.nothing('unwatched', deliver);
      return;
    }
    const at = this.#momentBy(rules);
    const record = known ?? newRecord(source, at.now, said.active === undefined);
    const verdict = verdictOn(record, said, at);
    const isSeenNow = machine.see(record, said, verdict);
    if (verdict === 'old') {
      const meaning = machine.meaningOfOld(record, said);
      this.#decide(record, { changes: [], meaning, alarm: alarmOf(record), source: record.source }, isSeenNow, deliver);
      return;
    }
    if (verdict === 'late') this.#notices.add('clock', source.topic);
    record.entry = rules.entry;
    if (known === undefined && !this.#admit(record)) {
      this.#tellUntracked(record, said, at, deliver);
      return;
    }
    const { turning, forgotten, patience } = record;
    // A reading moves nothing on but its time, which is not worth writing for each: after a restart an old one can pass
    // for new until a new one has come, and so put off that its sensor is silent, but not end a silence that was reported.
    const isFirst = known === undefined || forgotten === true || patience !== undefined;
    const isNews = isFirst || said.active !== undefined || record.interval !== rules.interval;
    const hasMoved = follow(record, source);
    const { changes, meaning } = machine.takeIn(record, said, verdict, this.#options.delays, at);
    this.#hear(record, rules.interval, at.now);
    this.#scheduleTurn(record, turning);
    this.#endings.set(record, said.active === true);
    if (said.active === undefined) this.#kept.hear(record);
    else this.#kept.touch(record);
    // Nor is anything to be told of it.
    const alarm = meaning === 'alive' ? undefined : alarmOf(record);
    const outcome: Outcome = { changes, meaning, alarm, source: record.source, ...(verdict === 'late' && { verdict }) };
    this.#decide(record, outcome, isNews || hasMoved || changes.length > 0, deliver);
  }

  /** Whether there is room for a new one; what had to go for it has gone. */
  #admit(record: AlarmRecord): boolean {
    const { isRoom, evicted } = this.#kept.makeRoom(record);
    for (const one of evicted) {
      const { topic } = one.source;
      for (const deadlines of [this.#turns, this.#awaited, this.#endings]) deadlines.stop(topic);
      this.#listening.unwatch(one);
      this.#notices.add('evicted', topic);
      // That it is silent has been told, and that nobody waits for it any more is told too.
      if (one.silent) this.#announce(one, machine.forget(one, 'no-room', this.#now(topic)), undefined);
    }
    if (isRoom) this.#kept.add(record);
    return isRoom;
  }

  /** There is no room for it. An alarm is told all the same, each time that it says so. */
  #tellUntracked(record: AlarmRecord, said: Said, at: machine.Moment, deliver: Deliver<Outcome>): void {
    this.#notices.add('untracked', record.source.topic);
    const { changes } = machine.takeIn(record, said, 'newer', { on: 0, off: 0 }, at);
    this.#delivery.outcome(
      { changes, meaning: 'unwatched', alarm: undefined, source: record.source },
      [],
      undefined,
      deliver,
    );
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
      const change = machine.forget(record, by, at);
      this.#endings.set(record, false);
      return change;
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
    const change = act(record, this.#now(id));
    if (change !== undefined) this.#kept.touch(record);
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
    return activeOf(this.#kept.all());
  }

  totals(): Totals {
    return totalsOf(this.#kept.all());
  }

  /** How often what an operator should know has happened since the start. */
  get faults(): Readonly<Notices['counts']> {
    return this.#notices.counts;
  }

  /** Intervals may have come, gone or changed; what was raised stays so, whether it is still registered or not. */
  registryChanged(): void {
    const { clock } = this.#options;
    if (!this.#options.hasRegistry()) return;
    const intervalOf = (topic: string) => this.#rulesOf(topic).interval;
    const changed: AlarmRecord[] = [];
    if (!this.#isWaiting) {
      this.#isWaiting = true;
      const { waits, resumed } = waitsGoingOn(this.#kept.all(), intervalOf, this.#listening, clock);
      for (const { id, length, from } of waits) this.#awaited.start(id, length, from);
      changed.push(...resumed);
      this.#endings.takeUp(this.#kept.all());
    }
    for (const record of this.#kept.all()) {
      const interval = intervalOf(record.source.topic);
      this.#endings.set(record, false);
      if (record.interval === interval) continue;
      expectWithin(record, interval, clock.wall());
      this.#await(record);
      this.#kept.touch(record);
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
    this.#endings.close();
    await this.#delivery.close();
    await this.#listening.close();
    this.#kept.close();
  }

  #rulesOf(topic: string): TopicRules {
    return this.#options.rulesOf(topic) ?? NO_RULES;
  }

  #now(topic: string): machine.Moment {
    return this.#momentBy(this.#rulesOf(topic));
  }

  #momentBy({ future, severities = [] }: TopicRules): machine.Moment {
    return { now: this.#options.clock.wall(), future, severities, stamps: this.#stamps };
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
    const due = [
      ...this.#turns.take(now).map((one) => ({ ...one, happens: machine.turn })),
      ...this.#awaited.take(now).map((one) => ({ ...one, happens: machine.fallSilent })),
      ...this.#endings.take(now),
    ];
    for (const { key, happens } of due.sort((one, other) => one.at - other.at)) {
      const record = this.#kept.get(key);
      if (record === undefined) continue;
      const change = happens(record, this.#now(key));
      this.#endings.set(record, false);
      this.#kept.touch(record);
      this.#announce(record, change, record);
    }
    this.#delivery.turn(now);
    this.#wakeUp.set();
  }

  /** @param stored - who is stored with it; undefined if it is gone */
  #announce({ source }: AlarmRecord, change: Change, stored: AlarmRecord | undefined): void {
    const debt = { change, source };
    this.#delivery.announce(debt, this.#kept.put(stored ? [stored] : [], { sync: true, owed: [debt] }));
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
