/**
 * What an operator must fix: a closed union of stable codes, seen as `msg.error.code` in a Catch node.
 * Messages that fail a check are not errors; they leave by the rejected output with a code of their own.
 */
export type ErrorCode =
  /** a config node is missing or could not start; nothing can be done with the message */
  | 'not-configured'
  /** the registry document has faults and no earlier version is running */
  | 'registry-unavailable'
  /** the keyring has no usable secret, or its device-key file cannot be read */
  | 'keyring-unavailable'
  /** `msg.point` is missing or InfluxDB could never take it */
  | 'invalid-point'
  /** the store on disk cannot take the point: disk full, read-only, damaged, or locked by another process */
  | 'store-unavailable'
  /** the queue is full of points that must not be dropped for this one */
  | 'queue-full'
  /** InfluxDB does not match the registry, and could not be looked at or changed; what was changed before is in the report */
  | 'provision-failed'
  /** windows could not be aggregated; they stay marked */
  | 'aggregate-failed'
  /** a backup, its proof or a restore could not be done, or not to its end */
  | 'backup-failed'
  /** there is no connection to the MQTT broker, and the message cannot wait for one */
  | 'broker-unavailable';

/** An error with a stable code. `cause` holds what the operating system or a library said. */
export class PackError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PackError';
    this.code = code;
  }
}

/** The text of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
