import type { Reply } from './faulty-server';

export function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

/** A refusal as 2.x words it. */
export function fail(status: number, code: string, message: string): Reply {
  const { headers, body } = json(status, { code, message });
  return { status, headers: { ...headers, 'x-platform-error-code': code }, ...(body !== undefined && { body }) };
}

export const unauthorized = (): Reply => fail(401, 'unauthorized', 'unauthorized access');
