import type { FieldType, Kind } from '../point';

/** The registry document as it is written, once it satisfies `resources/registry.schema.json`. */
export interface RegistryDocument {
  version: 1;
  buckets: Record<string, BucketDocument>;
  /** By topic filter. */
  topics: Record<string, TopicDocument>;
}

export interface BucketDocument {
  /** Such as `30d`. */
  retention: string;
}

export interface TopicDocument {
  kind: Kind;
  device?: string;
  bucket: string;
  measurement: string;
  tags?: Record<string, string>;
  fields?: Record<string, FieldDocument>;
  schema?: JsonSchema;
  additional?: 'refuse' | 'drop';
  interval?: string;
  clear_after?: string;
  /** Measurement of the changes of alarms, and of silence. */
  events?: string;
  window?: { past?: string; future?: string };
  aggregate?: AggregateDocument[];
  acknowledge?: { topic: string; within: string };
  supersede?: boolean;
}

export interface FieldDocument {
  type: FieldType;
  unit?: string;
  description?: string;
  optional?: boolean;
  minimum?: number;
  maximum?: number;
  enum?: (string | number)[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

export type AggregateFunction = 'mean' | 'median' | 'min' | 'max' | 'sum';

export interface AggregateDocument {
  every: string;
  functions: AggregateFunction[];
  into: string;
  fields?: string[];
}

/** Any JSON Schema that is an object. */
export type JsonSchema = Record<string, unknown>;
