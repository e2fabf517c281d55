/** What a topic carries; decides QoS, output port and how long the queue keeps its points. */
export type Kind = 'sensor' | 'alarm' | 'action';

export type FieldType = 'float' | 'integer' | 'boolean' | 'string';

/**
 * A typed field value. An `integer` is a number while that is exact, else its decimal digits as a string (or a bigint in
 * hand-made points), so that all 64 bits survive.
 */
export interface FieldValue {
  type: FieldType;
  value: number | string | boolean | bigint;
}

/** One row of InfluxDB, before it is a line of line protocol. */
export interface Point {
  /** 2.x: bucket; 1.x: retention policy of the configured database; 3.x: database. */
  bucket: string;
  /** The InfluxDB table. */
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, FieldValue>;
  /** Nanoseconds since 1970, as decimal digits: a JavaScript number cannot hold them. */
  time: string;
}
