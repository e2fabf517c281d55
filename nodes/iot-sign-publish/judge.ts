import { Verifier, type VerifyCode } from '../hmac-verify/verify';
import type { KeySource } from '../iot-keyring/keyring';
import type { JudgedAnswer, ReceivedAnswer } from '../lib/action/users';
import { DEFAULT_MAXIMUM_BYTES } from '../lib/protocol/limits';
import type { Registry } from '../lib/registry/registry';
import { quoted } from '../lib/shorten';

/** Why an answer changes nothing. */
export type AnswerCode = VerifyCode | 'unregistered' | 'retained' | 'not-an-answer' | 'repeated' | 'unknown-action';

export type AnswerVerdict = ({ ok: true } & JudgedAnswer) | { ok: false; code: AnswerCode; reason: string };

export interface JudgeOptions {
  registry: () => Registry;
  keyring: KeySource;
  /** Milliseconds since 1970; Date.now by default. */
  now?: () => number;
}

/** Judges the signed answers of devices as every message is judged; whether an action waits for them is not its business. */
export class AnswerJudge {
  readonly #registry: () => Registry;
  readonly #verifier: Verifier;

  constructor(options: JudgeOptions) {
    this.#registry = options.registry;
    this.#verifier = new Verifier({ ...options, maxBytes: DEFAULT_MAXIMUM_BYTES });
  }

  judge({ topic, bytes, isRetained }: ReceivedAnswer): AnswerVerdict {
    if (this.#registry().match(topic)?.kind !== 'acknowledgement') {
      return { ok: false, code: 'unregistered', reason: `${quoted(topic)} is not registered for answers` };
    }
    if (isRetained) return { ok: false, code: 'retained', reason: 'the broker had kept it: it may be of any age' };
    const verdict = this.#verifier.verify(bytes, topic);
    if (!verdict.ok) return verdict;
    const { payload } = verdict;
    // The same key signs both, and an action has an id too: whoever can read it could send it back.
    if (Object.hasOwn(payload, 'expires')) {
      return { ok: false, code: 'not-an-answer', reason: 'it has expires, so it is an action that somebody sent back' };
    }
    return { ok: true, payload };
  }
}
