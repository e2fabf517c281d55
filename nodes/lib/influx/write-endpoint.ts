import { connectionFault } from './connection-fault';
import { reasonOfAnswer, type Answer, type WriteOutcome } from './outcome';
import type { Transport } from './transport';

export interface WriteEndpointOptions {
  /** Path and query of a write into the bucket. */
  path(bucket: string): string;
  /** What this version means by an answer; undefined when it is none that the version is known to give. */
  outcomeOf(answer: Answer): WriteOutcome | undefined;
  /** Whether the version answers a write without points with success: then it can be asked who is at fault. */
  acceptsEmpty: boolean;
}

/** The write requests of one version of InfluxDB, with an outcome for whatever happens to them. */
export class WriteEndpoint {
  readonly #transport: Transport;
  readonly #options: WriteEndpointOptions;

  constructor(transport: Transport, options: WriteEndpointOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Rejects only with the signal's reason, once that is aborted. */
  async write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    try {
      const answer = await this.#post(bucket, body, signal);
      return this.#options.outcomeOf(answer) ?? (await this.#outcomeOfUnknown(answer, bucket, signal));
    } catch (error) {
      signal.throwIfAborted();
      const { code, message, brokeOff } = connectionFault(error, this.#transport.host);
      if (code === 'tls') return { kind: 'configuration', reason: message };
      return { kind: 'retry', reason: message, brokeOff };
    }
  }

  #post(bucket: string, body: string, signal: AbortSignal): Promise<Answer> {
    return this.#transport.send({ method: 'POST', path: this.#options.path(bucket), body, signal });
  }

  /**
   * A refusal in words that are not known must neither cost good points, should a proxy or a setting be at fault, nor hold
   * the bucket for ever, should it be a line. If the server takes a request without lines, it is the lines.
   */
  async #outcomeOfUnknown(answer: Answer, bucket: string, signal: AbortSignal): Promise<WriteOutcome> {
    const reason = reasonOfAnswer(answer);
    if (!this.#options.acceptsEmpty) return { kind: 'configuration', reason, isAnswer: true };
    const empty = this.#options.outcomeOf(await this.#post(bucket, '', signal));
    if (empty?.kind === 'written') return { kind: 'refused', reason };
    return { kind: 'configuration', reason, isAnswer: true };
  }
}
