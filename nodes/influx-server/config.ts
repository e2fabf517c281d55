import type { NodeDef } from 'node-red';

/** The InfluxDB generation that answers at the URL. */
export type ServerVersion = '1' | '2' | '3';

/** Seconds to wait for an answer to one request. */
export const DEFAULT_TIMEOUT = 30;

/** Megabytes of line protocol kept on disk for this server while it cannot be written to. */
export const DEFAULT_QUEUE_LIMIT = 1024;

/** The options of `influx-server`, as the editor stores them in the flow. */
export interface InfluxServerConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  /** Such as `http://localhost:8086`. */
  url: string;
  serverVersion: ServerVersion;
  /** 2.x: organization name or id. */
  organization: string;
  /** 1.x: the database whose retention policies are the registry's buckets. */
  database: string;
  /** Id of a core `tls-config`; empty: the system's certificate authorities. */
  tls: string;
  /** Seconds to wait for an answer. */
  timeout: number | string;
  /** Size of the queue on disk, in megabytes. */
  queueLimit: number | string;
}

/** Kept in Node-RED's encrypted credentials; they never return to the editor. */
export interface InfluxServerCredentials {
  /** 2.x and 3.x */
  token?: string;
  /** 1.x */
  username?: string;
  password?: string;
}
