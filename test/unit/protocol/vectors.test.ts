import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Verifier } from '../../../nodes/hmac-verify/verify';
import { judge } from '../../../nodes/lib/protocol/judge';
import { messageKey } from '../../../nodes/lib/protocol/key';

interface Vector {
  name: string;
  key: string;
  message: string;
  ours: string;
}

const { cases } = JSON.parse(readFileSync(new URL('../../vectors/vectors.json', import.meta.url), 'utf8')) as {
  cases: Vector[];
};

test.each(cases)('$name: $ours', ({ key, message, ours }) => {
  const secret = Buffer.from(key, 'base64');
  expect(judge(secret, message).verdict).toBe(ours);

  const verifier = new Verifier({
    registry: () => ({ match: () => ({ device: 'd', window: { past: undefined, future: Infinity } }) }),
    keyring: { keysFor: () => ({ keys: { current: messageKey(secret) } }) },
    maxBytes: 65_536,
  });
  const fromBytes = verifier.verify(Buffer.from(message), 'a/topic');
  expect(fromBytes).toMatchObject(ours.startsWith('verified') ? { ok: true } : { code: ours.replace(' ', '-') });
  expect(verifier.verify(message, 'a/topic')).toEqual(fromBytes);
});
