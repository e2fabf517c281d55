import type { WriteOutcome } from './outcome';
import type { WriteTarget } from './server';

/**
 * Several connections to one place, of which each may have other credentials, certificates and time-outs. Points go by the
 * newest; where that may not write, by the next that may.
 */
export class Connections implements WriteTarget {
  /** The newest first. */
  readonly #connections: WriteTarget[] = [];
  /** By bucket, the one that its last points went by. */
  readonly #proven = new Map<string, WriteTarget>();

  /** All connections of a place are of one version. */
  get batchLines(): number {
    return this.#connections[0]?.batchLines ?? 1;
  }

  async isUp(): Promise<boolean> {
    return (await this.#connections[0]?.isUp()) ?? false;
  }

  add(connection: WriteTarget): void {
    this.#connections.unshift(connection);
    this.#proven.clear();
  }

  remove(connection: WriteTarget): void {
    const index = this.#connections.indexOf(connection);
    if (index >= 0) this.#connections.splice(index, 1);
    for (const [bucket, proven] of this.#proven) if (proven === connection) this.#proven.delete(bucket);
  }

  /** What the newest connection says when none of them may write. */
  async write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    const proven = this.#proven.get(bucket);
    const others = this.#connections.filter((connection) => connection !== proven);
    let fault: WriteOutcome = { kind: 'retry', reason: 'No influx server node of this place is running' };
    let newest: WriteOutcome | undefined;
    for (const connection of proven === undefined ? others : [proven, ...others]) {
      fault = await connection.write(bucket, body, signal);
      if (fault.kind !== 'configuration') {
        if (this.#connections.includes(connection)) this.#proven.set(bucket, connection);
        return fault;
      }
      if (connection === this.#connections[0]) newest = fault;
    }
    this.#proven.delete(bucket);
    return newest ?? fault;
  }
}
