import { describe, expect, test } from 'vitest';
import {
  answered,
  begin,
  dueAt,
  packetChanged,
  resume,
  timePassed,
  type LivingAction,
} from '../../../nodes/lib/action/life';
import type { PacketChange } from '../../../nodes/lib/mqtt/packets';
import { decodeAction, encodeAction, stateOf, type ActionRecord } from '../../../nodes/lib/action/record';

const EXPIRES = 60_000;
const WITHIN = 10_000;

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

function change(action: LivingAction, clock: TestClock, ...kinds: (PacketChange['kind'] | number)[]): void {
  for (const kind of kinds) {
    const packet = typeof kind === 'number' ? { kind: 'refused', reasonCode: kind } : { kind };
    packetChanged(action, packet as PacketChange, clock);
  }
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
    expect(timePassed(action, clock)).toBe(true);
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
    expect(timePassed(action, clock)).toBe(false);
    expect(action.record.failure?.code).toBe('expired');
  });

  test('has expired when the broker passed it on too late', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent');
    clock.time = EXPIRES;
    expect(timePassed(action, clock)).toBe(false);
    expect(stateOf(action.record)).toBe('sent');
    change(action, clock, 'released', 'finished');
    expect(action.record.failure?.code).toBe('expired');
  });

  test('was passed on in time when only the end came late, over a restart and a second PUBREL', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 'released');
    clock.time = EXPIRES;
    const after = restarted(action, true, clock);
    change(after, clock, 'released', 'finished');
    expect(stateOf(after.record)).toBe('published');
  });

  test('is uncertain when the session is lost, whatever was sent', () => {
    for (const sent of [['sent'], ['sent', 'released']] as const) {
      const { action, clock } = living('action', false);
      change(action, clock, ...sent, 'lost');
      expect(action.record.failure?.code).toBe('uncertain');
      expect(timePassed(action, clock)).toBe(false);
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
    expect(timePassed(action, clock)).toBe(false);
    expect(restarted(action, false, clock).sendAt).toBe(0);
    clock.time = 1000;
    expect(timePassed(action, clock)).toBe(true);
    change(action, clock, 'sent', 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
  });

  test('has expired when the broker was busy until then', () => {
    const { action, clock } = living('action', false);
    change(action, clock, 'sent', 0x97);
    clock.time = EXPIRES;
    expect(timePassed(action, clock)).toBe(false);
    expect(action.record.failure?.code).toBe('expired');
  });
});

describe('an action of a device that answers', () => {
  test('is sent again until the answer comes', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published']);
    expect(timePassed(action, clock)).toBe(false);
    clock.time = dueAt(action);
    expect(clock.time).toBe(WITHIN);
    expect(timePassed(action, clock)).toBe(true);
    change(action, clock, 'sent');
    expect(timePassed(action, clock)).toBe(false);
    answered(action, { id: '1' }, clock);
    change(action, clock, 'released', 'finished');
    expect(steps(action)).toEqual(['created', 'sent', 'published', 'acknowledged']);
  });

  test('has all steps, even if the answer overtakes the broker', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent');
    answered(action, { id: '1' }, clock);
    expect(steps(action)).toEqual(['created', 'sent', 'published', 'acknowledged']);
    const times = action.record.steps.map(({ time }) => BigInt(time));
    expect([...times].sort((left, right) => Number(left - right))).toEqual(times);
  });

  test('is sent again at once when the session is lost, and after a restart', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'lost');
    expect(timePassed(action, clock)).toBe(true);
    expect(restarted(action, false, clock).sendAt).toBe(0);
  });

  test('is unacknowledged when no answer came, also none that was on the way when it expired', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    clock.time = EXPIRES;
    expect(timePassed(action, clock)).toBe(false);
    expect(stateOf(action.record)).toBe('published');
    clock.time = dueAt(action);
    expect(clock.time).toBe(EXPIRES + WITHIN);
    expect(timePassed(action, clock)).toBe(false);
    expect(action.record.failure?.code).toBe('unacknowledged');
  });

  test('may be answered just after it expired', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished');
    clock.time = EXPIRES + 1;
    timePassed(action, clock);
    answered(action, { id: '1' }, clock);
    expect(stateOf(action.record)).toBe('acknowledged');
  });

  test('is not called refused when an earlier copy was taken', () => {
    const { action, clock } = living('action', true);
    change(action, clock, 'sent', 'released', 'finished', 'sent', 0x87);
    expect(action.record.failure).toBeUndefined();
    expect(action.sendAt).toBe(WITHIN);
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
});
