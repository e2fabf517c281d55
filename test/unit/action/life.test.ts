import { describe, expect, test } from 'vitest';
import {
  abandon,
  answered,
  begin,
  dueAt,
  packetChanged,
  resume,
  supersede,
  timePassed,
  type LivingAction,
} from '../../../nodes/lib/action/life';
import type { PacketChange } from '../../../nodes/lib/mqtt/packets';
import { decodeAction, encodeAction, stateOf, type ActionRecord } from '../../../nodes/lib/action/record';

const EXPIRES = 60_000;
const WITHIN = 10_000;
/** The connection was there from the beginning. */
const HEARING = 0;

class TestClock {
  time = 0;
  #steps = 0;

  now(): number {
    return this.time;
  }

  next(): string {
    return String(BigInt(this.time) * 1_000_000n + BigInt(this.#steps++));
  }
}

function living(kind: 'action' | 'alarm', answers: boolean): { action: LivingAction; clock: TestClock } {
  const clock = new TestClock();
  const created = { id: '1', kind, node: 'n', origin: 'm', topic: 't', message: '{}', created: 0, expires: EXPIRES };
  return { clock, action: begin({ ...created, ...(answers && { answer: { topic: 'a', within: WITHIN } }) }, clock) };
}

type Kind = Exclude<PacketChange['kind'], 'refused'> | 'finished again';

function change(action: LivingAction, clock: TestClock, ...kinds: (Kind | number)[]): void {
  for (const kind of kinds) packetChanged(action, packetChange(kind), clock);
}

function packetChange(kind: Kind | number): PacketChange {
  if (typeof kind === 'number') return { kind: 'refused', reasonCode: kind };
  if (kind === 'finished again') return { kind: 'finished', isRepeated: true };
  return kind === 'lost' || kind === 'withdrawn' ? { kind, reason: 'the broker says so' } : { kind };
}

function steps({ record }: LivingAction): string[] {
  return record.steps.map(({ step }) => step);
}

/** What is left of it when the process ends. */
function restarted({ record }: LivingAction, inFlight: boolean, clock: TestClock): LivingAction {
  return resume(decodeAction(encodeAction(record)) as ActionRecord, inFlight, clock);
}

describe('an action of a device that does not answer', () => {
  test('is published when the broker has it', () => {
    const { action, clock } = living('action', false);
    expect(timePassed(action, clock, HEARING)).toBe(true);
    change(action, clock, 'sent', 'released');
    expect(action.inFlight).toBe(true);
    change(action, clock, 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
    expect(dueAt(action)).toBe(Infinity);
  });

  test('has expired when it was not sent in time, and is not sent then', () => {
    const { action, clock } = living('action', false);
    expect(dueAt(action)).toBe(0);
    clock.time = EXPIRES;
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(action.record.failure?.code).toBe('expired');
  });

  test('is uncertain when the broker passed it on too late: the device decides by its own clock', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent');
    clock.time = EXPIRES;
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(stateOf(action.record)).toBe('sent');
    change(action, clock, 'released', 'finished');
    expect(action.record.failure?.code).toBe('uncertain');
  });

  test('was passed on in time when only the end came late', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 'released');
    clock.time = EXPIRES;
    change(action, clock, 'finished');
    expect(stateOf(action.record)).toBe('published');
  });

  test.each([
    [EXPIRES - 1, 'published', undefined],
    [EXPIRES, 'failed', 'uncertain'],
  ])('is after %i ms and a second PUBREL over a restart %s', (time, state, code) => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 'released');
    clock.time = time;
    const after = restarted(action, true, clock);
    change(after, clock, 'finished again');
    expect([stateOf(after.record), after.record.failure?.code]).toEqual([state, code]);
  });

  test('is uncertain when the session is lost, whatever was sent', () => {
    for (const sent of [['sent'], ['sent', 'released']] as const) {
      const { action, clock } = living('action', false);
      change(action, clock, ...sent, 'lost');
      expect(action.record.failure?.code).toBe('uncertain');
      expect(timePassed(action, clock, HEARING)).toBe(false);
    }
  });

  test('goes on after a restart where it was', () => {
    const { action, clock } = living('action', false);
    expect(restarted(action, false, clock).sendAt).toBe(0);
    change(action, clock, 'sent');
    expect(restarted(action, true, clock)).toMatchObject({ inFlight: true, sendAt: undefined });
    expect(restarted(action, false, clock).record.failure?.code).toBe('uncertain');
  });

  test('is refused for good, or sent again when the broker was only busy', () => {
    const refused = living('action', false);
    change(refused.action, refused.clock, 'sent', 0x87);
    expect(refused.action.record.failure?.code).toBe('refused');
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 0x97);
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(restarted(action, false, clock).sendAt).toBe(0);
    clock.time = 1000;
    expect(timePassed(action, clock, HEARING)).toBe(true);
    change(action, clock, 'sent', 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
  });

  test('has expired when the broker was busy until then', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 0x97);
    clock.time = EXPIRES;
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(action.record.failure?.code).toBe('expired');
  });
});

describe('an action of a device that answers', () => {
  test('is sent again until the answer comes', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
    expect(timePassed(action, clock, HEARING)).toBe(false);
    clock.time = dueAt(action);
    expect(clock.time).toBe(WITHIN);
    expect(timePassed(action, clock, HEARING)).toBe(true);
    change(action, clock, 'sent');
    expect(timePassed(action, clock, HEARING)).toBe(false);
    answered(action, { id: '1' }, undefined, clock);
    change(action, clock, 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published', 'acknowledged']);
  });

  test('has all steps, even if the answer overtakes the broker', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent');
    answered(action, { id: '1' }, undefined, clock);
    expect(steps(action)).toEqual(['created', 'sent', 'published', 'acknowledged']);
    const times = action.record.steps.map(({ time }) => BigInt(time));
    expect([...times].sort((left, right) => Number(left - right))).toEqual(times);
  });

  test('is sent again at once when the session is lost, and after a restart', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'lost');
    expect(timePassed(action, clock, HEARING)).toBe(true);
    expect(restarted(action, false, clock).sendAt).toBe(0);
  });

  test('is unacknowledged when no answer came, also none that was on the way when it expired', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    clock.time = EXPIRES;
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(stateOf(action.record)).toBe('published');
    clock.time = dueAt(action);
    expect(clock.time).toBe(EXPIRES + WITHIN);
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(action.record.failure?.code).toBe('unacknowledged');
  });

  test('may be answered just after it expired', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    clock.time = EXPIRES + 1;
    timePassed(action, clock, HEARING);
    answered(action, { id: '1' }, undefined, clock);
    expect(stateOf(action.record)).toBe('acknowledged');
  });

  test('may be answered as long as nobody could hear of it, and a while longer', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    clock.time = EXPIRES + 10 * WITHIN;
    timePassed(action, clock, undefined);
    const connected = clock.time;
    clock.time += WITHIN - 1;
    timePassed(action, clock, connected);
    expect(stateOf(action.record)).toBe('published');
    clock.time += 1;
    timePassed(action, clock, connected);
    expect(action.record.failure?.code).toBe('unacknowledged');
  });

  test('is acknowledged when the answer comes after it was given up', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent');
    clock.time = EXPIRES + WITHIN;
    timePassed(action, clock, HEARING);
    answered(action, { id: '1' }, undefined, clock);
    expect(steps(action)).toEqual(['created', 'sent', 'failed', 'acknowledged']);
    expect(dueAt(action)).toBe(Infinity);
  });

  test('is uncertain, and not sent again, when its packet was withdrawn', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'withdrawn');
    expect(action.record.failure?.code).toBe('uncertain');
    expect(timePassed(action, clock, HEARING)).toBe(false);
  });

  test('is not called refused when an earlier copy was taken', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished', 'sent', 0x87);
    expect(action.record.failure).toBeUndefined();
    expect(action.sendAt).toBe(WITHIN);
  });
});

describe('an action that its device has not performed, as it says', () => {
  test('has failed, with the reason', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    answered(action, { id: '1', ok: false }, 'the device says: jammed', clock);
    expect(steps(action)).toEqual(['created', 'sent', 'published', 'failed']);
    expect(action.record).toMatchObject({
      failure: { code: 'not-performed', reason: 'the device says: jammed' },
      acknowledgement: { ok: false },
    });
    expect(dueAt(action)).toBe(Infinity);
  });
});

describe('an action that waits for an older one', () => {
  test('is not sent, and expires', () => {
    const { action, clock } = living('action', true);
    action.isWaiting = true;
    expect([timePassed(action, clock, HEARING), dueAt(action)]).toEqual([false, EXPIRES]);
    clock.time = EXPIRES;
    expect(timePassed(action, clock, HEARING)).toBe(false);
    expect(action.record.failure).toMatchObject({ code: 'expired' });
    expect(action.record.failure?.reason).toContain('an older action');
  });
});

describe('an action that is superseded', () => {
  test.each<[Kind[], string]>([
    [[], 'not been sent'],
    [['sent', 'released'], 'was sent'],
  ])('after %j has failed, and is not sent again', (before, said) => {
    const { action, clock } = living('action', true);
    change(action, clock, ...before);
    supersede(action, clock);
    expect(action.record.failure?.code).toBe('superseded');
    expect(action.record.failure?.reason).toContain(said);
    change(action, clock, ...(before.length > 0 ? (['finished'] as const) : []));
    clock.time = WITHIN;
    expect([timePassed(action, clock, HEARING), dueAt(action)]).toEqual([false, Infinity]);
    expect(restarted(action, false, clock).sendAt).toBeUndefined();
  });

  test('is left as it was where it had come to its end', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent');
    answered(action, { id: '1' }, undefined, clock);
    supersede(action, clock);
    expect(stateOf(action.record)).toBe('acknowledged');
  });
});

describe('an alarm', () => {
  test('is sent again after a restart, and published when the broker has it', () => {
    const { action, clock } = living('alarm', false);
    change(action, clock, 'sent');
    const after = restarted(action, false, clock);
    expect(after.sendAt).toBe(0);
    change(after, clock, 'sent', 'finished');
    expect(steps(after)).toEqual(['created', 'sent', 'published']);
  });

  test('is published however late the broker has it', () => {
    const { action, clock } = living('alarm', false);
    change(action, clock, 'sent');
    clock.time = EXPIRES;
    change(action, clock, 'finished');
    expect(stateOf(action.record)).toBe('published');
  });

  test('is sent again where nobody knows whether it came', () => {
    const { action, clock } = living('alarm', false);
    change(action, clock, 'sent', 'lost');
    clock.time = dueAt(action);
    expect(timePassed(action, clock, HEARING)).toBe(true);
  });
});

describe('what is left at a broker that its node does not use any more', () => {
  test.each<[code: string, answers: boolean, before: Kind[] | number[]]>([
    ['expired', false, []],
    ['expired', true, []],
    ['expired', false, [0x97]],
    ['uncertain', false, ['sent']],
    ['uncertain', true, ['sent', 'released', 'finished']],
  ])('is %s (answers: %s) after %j', (code, answers, before) => {
    const { action, clock } = living('action', answers);
    change(action, clock, ...(typeof before[0] === 'number' ? (['sent', ...before] as const) : before));
    abandon(action, clock);
    expect(action.record.failure?.code).toBe(code);
  });

  test('stays what it is when it is over', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 'released', 'finished');
    abandon(action, clock);
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
  });
});
