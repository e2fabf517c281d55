/** What a test has a server do instead of answering properly. */
export type Fault =
  /** takes the request and never answers */
  | { kind: 'hang' }
  /** resets the connection */
  | { kind: 'reset' }
  /** answers properly, but late */
  | { kind: 'slow'; milliseconds: number }
  /** 413 for bodies with more bytes on the wire */
  | { kind: 'too-large'; bytes: number }
  /** this answer, whatever was asked for */
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string };

/** A request as it came over the wire. */
export interface SeenRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  /** As sent, perhaps compressed. */
  body: Buffer;
  /** ms since 1970 */
  at: number;
  /** Of the answer; undefined while there is none. */
  status: number | undefined;
}

interface Rule {
  fault: Fault;
  when: (request: SeenRequest) => boolean;
  times: number;
}

/** The faults that are on; the first rule that fits a request decides. */
export class Faults {
  #rules: Rule[] = [];

  /**
   * @param when - the requests it is for; default: all
   * @param times - requests after which it is over; default: until `heal`
   */
  inject(fault: Fault, when: (request: SeenRequest) => boolean = () => true, times = Infinity): void {
    this.#rules.push({ fault, when, times });
  }

  heal(): void {
    this.#rules = [];
  }

  faultFor(request: SeenRequest): Fault | undefined {
    const rule = this.#rules.find(({ when }) => when(request));
    if (!rule) return undefined;
    rule.times -= 1;
    if (rule.times <= 0) this.#rules = this.#rules.filter((other) => other !== rule);
    return rule.fault;
  }
}

/** The requests that write points, on any version of InfluxDB. */
export function isWrite(request: SeenRequest): boolean {
  return request.method === 'POST' && ['/write', '/api/v2/write', '/api/v3/write_lp'].includes(request.path);
}

/** The writes into one bucket, retention policy or database. */
export function isWriteTo(bucket: string): (request: SeenRequest) => boolean {
  return (request) => isWrite(request) && ['bucket', 'rp', 'db'].some((name) => request.query.get(name) === bucket);
}
