import { gunzipSync } from 'node:zlib';
import { linesOf, type Backend } from './backend';
import type { SeenRequest } from './faults';
import type { Reply } from './faulty-server';
import { header, onlyContent, onlyParameters, Unknown } from './honesty';
import { may, type Access } from './influx2-access';
import type { Bucket, BucketStore } from './influx2-buckets';
import { fail, unauthorized } from './influx2-replies';

/** String fields may be as long as this, in bytes; 1.x is not asked to stand in for longer ones. */
const LONGEST_STRING = 1_048_576;

/** `POST /api/v2/write` */
export class WriteApi {
  readonly #backend: Backend;
  readonly #access: Access;
  readonly #buckets: BucketStore;

  constructor(backend: Backend, access: Access, buckets: BucketStore) {
    this.#backend = backend;
    this.#access = access;
    this.#buckets = buckets;
  }

  async answer(request: SeenRequest): Promise<Reply> {
    onlyParameters(request, 'org', 'bucket', 'precision');
    onlyContent(request, 'text/plain');
    const token = this.#access.tokenOf(request);
    if (!token) return unauthorized();
    const { query } = request;
    const precision = query.get('precision') ?? 'ns';
    if (!['ns', 'us', 'ms', 's'].includes(precision)) {
      return fail(400, 'invalid', 'invalid precision; valid precision units are ns, us, ms, and s');
    }
    if (precision !== 'ns') throw new Unknown(`precision ${precision}`);
    const name = query.get('bucket') ?? '';
    if (name === '') return fail(404, 'not found', 'bucket not found');
    const asked = query.get('org') ?? '';
    if (asked === '') return fail(400, 'invalid', 'Please provide either orgID or org');
    const isId = /^[0-9a-f]{16}$/.test(asked);
    const organization = isId ? this.#access.organizationWithId(asked) : this.#access.organizationNamed(asked);
    if (!organization) {
      return fail(404, 'not found', isId ? 'organization not found' : `organization name "${asked}" not found`);
    }
    const bucket = this.#buckets.named(organization, name);
    if (!bucket) return fail(404, 'not found', `bucket ${JSON.stringify(name)} not found`);
    if (!may(token, 'write', 'buckets', { id: bucket.id, orgID: organization.id })) {
      return fail(403, 'forbidden', 'insufficient permissions for write');
    }
    const body = this.#bodyOf(request);
    if (typeof body !== 'string') return body;
    if (bucket.isSystem === true) throw new Unknown('points for a system bucket');
    return this.#store(bucket, linesOf(body));
  }

  #bodyOf(request: SeenRequest): string | Reply {
    if (header(request, 'content-encoding') !== 'gzip') return request.body.toString();
    try {
      return gunzipSync(request.body).toString();
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'Z_BUF_ERROR' && request.body.length > 0) {
        return fail(500, 'internal error', 'unable to read data: unexpected EOF');
      }
      if (code === 'Z_DATA_ERROR' && request.body.subarray(0, 2).equals(Buffer.of(0x1f, 0x8b))) {
        return fail(400, 'invalid', 'gzip: invalid checksum');
      }
      return fail(500, 'internal error', 'An internal error has occurred - check server logs');
    }
  }

  async #store(bucket: Bucket, lines: string[]): Promise<Reply> {
    if (lines.length === 0) return { status: 204 };
    if (lines.some((line) => line.length > LONGEST_STRING)) throw new Unknown('a line longer than the longest string');
    const reserved = lines.find((line) => /^[^ ]*,(?:time|_field|_measurement)=/.test(line));
    if (reserved !== undefined)
      return fail(400, 'invalid', `unable to parse '${reserved}': cannot use reserved tag key "time"`);
    const faults = await this.#backend.unparsable(lines);
    if (faults.length > 0) {
      return fail(400, 'invalid', faults.map(({ line, reason }) => `unable to parse '${line}': ${reason}`).join('\n'));
    }
    const { status, error } = await this.#backend.write(bucket.id, lines.join('\n'));
    if (status === 204) return { status };
    if (status === 400 && error.startsWith('partial write: points beyond retention policy')) {
      return this.#beyondRetention(bucket, error, lines);
    }
    if (status === 400 && error.startsWith('partial write: field type conflict')) {
      return fail(422, 'unprocessable entity', `failure writing points to database: ${error}`);
    }
    if (status === 500 && error.startsWith('engine:')) {
      return fail(500, 'internal error', `unexpected error writing points to database: ${error}`);
    }
    throw new Unknown(`1.x says ${status}: ${error}`);
  }

  #beyondRetention(bucket: Bucket, error: string, lines: string[]): Reply {
    const dropped = /dropped=([0-9]+)/.exec(error)?.[1] ?? '';
    const bound = BigInt(Date.now() - bucket.retention * 1000) * 1_000_000n;
    const why = `dropped because it violates a Retention Policy Lower Bound at ${timeText(bound)}`;
    const outside = lines
      .map(keyAndTime)
      .filter(({ time }) => time < bound)
      .sort((a, b) => (a.time < b.time ? -1 : 1))
      .map(({ key, time }) => `${key} at ${timeText(time)} ${why}`);
    const message =
      `failure writing points to database: partial write: dropped ${dropped} points outside retention policy of duration ` +
      `${bucket.retention / 3600}h0m0s - oldest point ${outside[0] ?? ''}, newest point ${outside.at(-1) ?? ''} ` +
      `dropped=${dropped} for database: ${bucket.id} for retention policy: autogen`;
    return fail(422, 'unprocessable entity', message);
  }
}

function keyAndTime(line: string): { key: string; time: bigint } {
  const key = /^(?:\\.|[^ \\])*/.exec(line)?.[0] ?? '';
  const time = / (-?[0-9]+)\s*$/.exec(line)?.[1];
  return { key, time: time === undefined ? BigInt(Date.now()) * 1_000_000n : BigInt(time) };
}

/** As Go writes it: without zeros at the end. */
function timeText(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`;
}
