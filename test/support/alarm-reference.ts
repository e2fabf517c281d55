/**
 * What alarms must do, written down a second time and in another way: from the whole history of one alarm, without a store,
 * timers or anything that is carried on.
 */
export type Happening =
  /** A message arrives. `active` is undefined for a sensor's reading. */
  | { at: number; what: 'message'; signed: bigint; active: boolean | undefined }
  | { at: number; what: 'acknowledge' }
  | { at: number; what: 'forget' }
  /** The process starts again, after it had ended a while before. */
  | { at: number; what: 'restart'; ended: number; before: Before };

/** What is known at a start of the time before it. */
export interface Before {
  /** Until when somebody is known to have listened. */
  listened: number;
  /** When something was last heard of this one, if the messages before do not say so. */
  heard: number | undefined;
  /** Whether it may have been heard after that and until it ended, as the process was killed. */
  isExact: boolean;
}

export interface Rules {
  on: number;
  off: number;
  interval: number | undefined;
}

export interface Expected {
  event: string;
  at: number;
  state: string;
  silent: boolean;
  acknowledged: boolean;
  /** Milliseconds. */
  since: number;
}

const MS = 1_000_000n;

/** The changes that this history must bring about, until `end`. */
export function expectedChanges(history: readonly Happening[], rules: Rules, end: number): Expected[] {
  const expected: Expected[] = [];
  let [raised, silent, acknowledged, begun] = [false, false, false, 0n];
  let newest: { signed: bigint; active: boolean } | undefined;
  /** Alarm messages that have come: none of them counts twice. */
  const seen = new Set<string>();
  /** The first message, and its arrival, of an unbroken row that says the opposite of the state. */
  let opposed: { signed: bigint; at: number; begun: bigint } | undefined;
  /** When something was last heard; undefined while nothing is waited for. */
  let heard: number | undefined;
  /** When patience ends, if a start has given some. */
  let patience: number | undefined;

  const tell = (event: string, at: number): void => {
    const state = raised ? 'raised' : 'cleared';
    expected.push({ event, at, state, silent, acknowledged, since: Number(begun / MS) });
  };
  const flip = (at: number): void => {
    if (opposed === undefined) throw new Error('nothing opposes the state');
    begun = opposed.begun;
    raised = !raised;
    opposed = undefined;
    if (raised) acknowledged = false;
    tell(raised ? 'raised' : 'cleared', at);
  };
  const delay = (): number => (raised ? rules.off : rules.on);
  /** What happens by itself until a moment, that included. */
  const pass = (until: number): void => {
    for (;;) {
      const flips = opposed === undefined ? Infinity : opposed.at + delay();
      const falls =
        heard === undefined || rules.interval === undefined ? Infinity : (patience ?? heard + 1.5 * rules.interval);
      if (Math.min(flips, falls) > until) return;
      if (flips <= falls) flip(flips);
      else {
        [silent, acknowledged, heard] = [true, false, undefined];
        tell('silent', falls);
      }
    }
  };
  const hear = (at: number, signed: bigint, active: boolean | undefined): void => {
    const isCopy = active !== undefined && seen.has(`${signed} ${active}`);
    if (active !== undefined) seen.add(`${signed} ${active}`);
    if (isCopy) return;
    // What was overtaken counts only if it says that the alarm is active, and it is not, or about to be over.
    const isUp = newest?.active === true && (raised || opposed !== undefined);
    const isLate = newest !== undefined && signed < newest.signed;
    if (isLate && (active !== true || isUp)) return;
    // In one moment, "active" is the newer.
    if (newest?.signed === signed && (newest.active || active !== true)) return;
    if (silent) {
      silent = false;
      tell('returned', at);
    }
    if (newest === undefined) begun = signed;
    [heard, patience] = [at, undefined];
    newest = { signed, active: active ?? false };
    if (active === undefined) return;
    if (opposed !== undefined && signed - opposed.signed >= BigInt(delay()) * MS) flip(at);
    if (active === raised) opposed = undefined;
    else {
      // Of what is late nobody knows when it was.
      opposed ??= { signed, at, begun: isLate ? BigInt(at) * MS : signed };
      if (delay() === 0) flip(at);
    }
  };

  const start = (at: number, { listened, heard: known, isExact }: Before): void => {
    // A clear begins anew; a raise has gone on, and is noticed now at the earliest.
    if (opposed !== undefined) opposed = { ...opposed, at: raised ? at : Math.max(opposed.at, at - rules.on) };
    if (heard === undefined || rules.interval === undefined) return;
    heard = known ?? heard;
    const deaf = at - listened;
    const late = listened - heard - rules.interval;
    if (patience !== undefined) {
      if (patience <= at) patience += deaf;
    } else if (late + deaf > 0) {
      const margin = rules.interval / 2;
      const left = Math.max(margin - late, Math.min(margin, deaf));
      patience = at + (late >= 0 && isExact ? left : rules.interval + margin);
    }
  };

  for (const happening of history) {
    const { at } = happening;
    pass(happening.what === 'restart' ? happening.ended : at);
    if (happening.what === 'message') hear(at, happening.signed, happening.active);
    else if (happening.what === 'restart') start(at, happening.before);
    else if (newest !== undefined && happening.what === 'acknowledge') {
      if (acknowledged || !(raised || silent)) continue;
      acknowledged = true;
      tell('acknowledged', at);
    } else if (newest !== undefined && happening.what === 'forget') {
      // Only its newest time is remembered; who has been forgotten twice was forgotten once.
      if (expected.at(-1)?.event === 'forgotten' && heard === undefined && opposed === undefined) continue;
      [raised, silent, acknowledged, opposed, heard] = [false, false, false, undefined, undefined];
      tell('forgotten', at);
    }
  }
  pass(end);
  return expected;
}
