/** What the registry says of the alarms of a topic, as it is now. */
export interface TopicRules {
  /** The topic filter of its entry: alarms of one entry share a bound. */
  entry: string;
  /** Milliseconds in which a message is expected. */
  interval?: number | undefined;
  /** Milliseconds after which an alarm ends that nobody has cleared. */
  clearAfter?: number | undefined;
  /** Milliseconds by which a signed time may be ahead of this clock. */
  future: number;
  /** The severities, from the least to the greatest. */
  severities?: readonly string[] | undefined;
}

/** For a topic that the registry does not have, or not any more. */
export const NO_RULES: TopicRules = { entry: '', future: 60_000 };
