import type { NodeAPI } from 'node-red';
import { reasonOf } from '../errors';

type Handler = Parameters<NodeAPI['httpAdmin']['get']>[1];
type Request = Parameters<Handler>[0];

/** What a caller asked for cannot be done: answered as 400 with a code and a message for the person in front of the dialog. */
export class EndpointError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Adds `POST mqtt2influx/<path>` to the admin API: JSON in, JSON out, only for users who hold the permission.
 *
 * @param answer - gets the body; may throw {@link EndpointError}
 */
export function addJsonEndpoint(
  RED: NodeAPI,
  path: string,
  permission: string,
  answer: (body: Record<string, unknown>) => unknown,
): void {
  RED.httpAdmin.post(`/mqtt2influx/${path}`, RED.auth.needsPermission(permission), (request, response) => {
    Promise.resolve()
      .then(() => answer(bodyOf(request)))
      .then(
        (body) => response.json(body),
        (error: unknown) => {
          if (error instanceof EndpointError) response.status(400).json({ code: error.code, message: error.message });
          else response.status(500).json({ code: 'internal', message: reasonOf(error) });
        },
      );
  });
}

const served = new WeakSet<NodeAPI['httpAdmin']>();

/**
 * Adds `GET mqtt2influx/<path>` with a text answer, once for a Node-RED instance however many nodes ask for it.
 */
export function addTextEndpoint(
  RED: NodeAPI,
  path: string,
  permission: string,
  contentType: string,
  text: () => string,
): void {
  if (served.has(RED.httpAdmin)) return;
  served.add(RED.httpAdmin);
  RED.httpAdmin.get(`/mqtt2influx/${path}`, RED.auth.needsPermission(permission), (_request, response) => {
    response.type(contentType).send(text());
  });
}

/** A text member of a request's body; empty when it is missing or something else. */
export function textMember(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : '';
}

function bodyOf(request: Request): Record<string, unknown> {
  const body: unknown = request.body;
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}
