import { randomBytes } from 'node:crypto';
import type { SeenRequest } from './faults';
import { header } from './honesty';

export interface Organization {
  id: string;
  name: string;
}

type Action = 'read' | 'write';

/** Of a token: for one resource, for all of a type in an organization, or for all of a type. */
export interface Permission {
  action: Action;
  resource: { type: string; id?: string; orgID?: string };
}

/** What the pack's requests are judged by; an operator has all of it in every organization. */
export const TYPES = ['buckets', 'orgs', 'authorizations'] as const;

export interface Token {
  organization: Organization;
  permissions: readonly Permission[];
}

export function newId(): string {
  return randomBytes(8).toString('hex');
}

/** As `matchesV1` in authz.go of 2.9.1. */
function fits({ action, resource }: Permission, asked: Permission): boolean {
  if (action !== asked.action || resource.type !== asked.resource.type) return false;
  if (resource.id === undefined && resource.orgID === undefined) return true;
  if (resource.id === undefined) return resource.orgID === asked.resource.orgID;
  return resource.id === asked.resource.id;
}

export function may(token: Token, action: Action, type: string, resource: { id?: string; orgID?: string }): boolean {
  return token.permissions.some((permission) => fits(permission, { action, resource: { type, ...resource } }));
}

/** Organizations and tokens of a façade. */
export class Access {
  readonly #organizations: Organization[] = [];
  readonly #tokens = new Map<string, Token>();

  createOrganization(name: string): Organization {
    const organization = { id: newId(), name };
    this.#organizations.push(organization);
    return organization;
  }

  organizationNamed(name: string): Organization | undefined {
    return this.#organizations.find((organization) => organization.name === name);
  }

  organizationWithId(id: string): Organization | undefined {
    return this.#organizations.find((organization) => organization.id === id);
  }

  allow(token: string, organization: Organization, permissions: readonly Permission[]): void {
    this.#tokens.set(token, { organization, permissions });
  }

  revoke(token: string): void {
    this.#tokens.delete(token);
  }

  /** Of the management and of writing: Basic does not work there. */
  tokenOf(request: SeenRequest): Token | undefined {
    const [, token] = /^(?:Token|Bearer) (.+)$/.exec(header(request, 'authorization') ?? '') ?? [];
    return token === undefined ? undefined : this.#tokens.get(token);
  }

  /** Of InfluxQL: Basic works with any name, Bearer does not. */
  readerOf(request: SeenRequest): Token | undefined {
    const [, scheme, value = ''] = /^(Token|Basic) (.+)$/.exec(header(request, 'authorization') ?? '') ?? [];
    if (scheme === undefined) return undefined;
    return this.#tokens.get(scheme === 'Token' ? value : (Buffer.from(value, 'base64').toString().split(':')[1] ?? ''));
  }
}
