import { expect, it } from 'vitest';
import { finisher } from '../../../nodes/alarm-state/finisher';
import { MessageCounters } from '../../../nodes/lib/runtime/counters';

function ending() {
  const ended: (string | undefined)[] = [];
  const failed: unknown[] = [];
  const counters = new MessageCounters('alarm-state');
  const runtime = {
    counters,
    status: { touch: () => undefined } as never,
    fail: (done: (error?: Error) => void, error: unknown) => {
      failed.push(error);
      done(error as Error);
    },
  };
  const end = finisher(runtime, (error) => ended.push(error?.message));
  return { end, ended, failed, counters };
}

it('ends a message once, and takes it back from those under way', () => {
  const { end, ended, counters } = ending();
  expect(counters.pending).toBe(1);
  end((done) => done());
  end((done) => done(new Error('again')));
  expect(ended).toEqual([undefined]);
  expect(counters.pending).toBe(0);
});

it('makes what is thrown the error of the message', () => {
  const { end, ended, failed, counters } = ending();
  end(() => {
    throw new Error('no topic');
  });
  expect(ended).toEqual(['no topic']);
  expect(failed).toHaveLength(1);
  expect(counters.pending).toBe(0);
});

it('does not call done again when something is thrown after it', () => {
  const { end, ended } = ending();
  end((done) => {
    done();
    throw new Error('too late');
  });
  expect(ended).toEqual([undefined]);
});
