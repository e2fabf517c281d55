import { randomBytes } from 'node:crypto';

const DAY = 86_400;

/**
 * One device a fault: whose key it holds, where it publishes, what it sends, and the code by which its messages must be
 * rejected. `sign(payload, device)` signs with that device's own key.
 */
export const faults = [
  {
    fault: 'sends bytes that are no message',
    device: 'cellar/broken',
    code: 'malformed',
    topic: 'sensors/cellar/broken/climate',
    message: () => randomBytes(64),
  },
  {
    fault: 'sends more than 64 KiB',
    device: 'cellar/talkative',
    code: 'too-large',
    topic: 'sensors/cellar/talkative/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 20, note: 'x'.repeat(70_000), ...timeNow() }, device),
  },
  {
    fault: 'signs with a key of its own',
    device: 'cellar/forger',
    code: 'bad-signature',
    topic: 'sensors/cellar/forger/climate',
    message: ({ sign, timeNow }) => sign({ temperature: 20, ...timeNow() }, 'a key nobody gave it'),
  },
  {
    fault: "publishes under another device's name",
    device: 'cellar/impostor',
    code: 'bad-signature',
    topic: 'sensors/greenhouse/bed-1/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 99, ...timeNow() }, device),
  },
  {
    fault: 'publishes to a topic that nobody registered, so that no key belongs to it',
    device: 'cellar/unknown',
    code: 'no-key',
    topic: 'sensors/cellar/unknown/noise',
    message: ({ sign, device, timeNow }) => sign({ decibel: 40, ...timeNow() }, device),
  },
  {
    fault: 'has no nanoseconds in its time',
    device: 'cellar/timeless',
    code: 'bad-timestamp',
    topic: 'sensors/cellar/timeless/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 20, ts: timeNow().ts }, device),
  },
  {
    fault: 'has a clock that is two days slow',
    device: 'cellar/slow',
    code: 'stale',
    topic: 'sensors/cellar/slow/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 20, ...timeNow(-2 * DAY) }, device),
  },
  {
    fault: 'has a clock that is a day fast',
    device: 'cellar/fast',
    code: 'future',
    topic: 'sensors/cellar/fast/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 20, ...timeNow(DAY) }, device),
  },
  {
    fault: 'sends text where a number belongs',
    device: 'cellar/wordy',
    code: 'invalid-payload',
    topic: 'sensors/cellar/wordy/climate',
    message: ({ sign, device, timeNow }) => sign({ temperature: 'warm', ...timeNow() }, device),
  },
];
