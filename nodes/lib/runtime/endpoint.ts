import type { Node, NodeAPI } from 'node-red';
import { reasonOf } from '../errors';
import { valueOf, variableIn } from './environment';

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

/** What the editor sends for a password it was never told. */
const DEPLOYED = '__PWRD__';

/**
 * The secret that was typed into the dialog, or the deployed one where the dialog only shows that there is one. An
 * environment variable is replaced by its value, as a deploy does: the text `${NAME}` is no secret.
 *
 * @param node - the deployed node, if there is one
 * @throws EndpointError when the variable is not set
 */
export function secretMember(
  RED: NodeAPI,
  body: Record<string, unknown>,
  name: string,
  node: Node | undefined,
): string | undefined {
  const typed = textMember(body, name);
  const deployed = (node?.credentials as Record<string, string | undefined> | undefined)?.[name];
  const written = typed === DEPLOYED ? (deployed ?? '') : typed;
  const secret = valueOf(RED, node, written);
  if (secret === undefined) throw new EndpointError('no-variable', unsetVariable(variableIn(written) ?? ''));
  return secret === '' ? undefined : secret;
}

function unsetVariable(name: string): string {
  return `The environment variable ${name} is not set in Node-RED. If it has just been added to the flow, deploy first`;
}

function bodyOf(request: Request): Record<string, unknown> {
  const body: unknown = request.body;
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}
