import { quoted } from '../lib/shorten';

/** MQTT 5 section 1.5.4. */
const MOST_BYTES = 65_535;

/** Levels are captured from the topic, so wildcards would be taken for names; MQTT 5 section 4.7.1 forbids them anyway. */
const WILDCARD = /[+#]/;

/** MQTT 5 section 1.5.4: a broker may close the connection at the sight of these, and mosquitto does. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/** Why nothing can be published on a topic. */
export function topicFault(topic: string): string | undefined {
  if (WILDCARD.test(topic)) return `${quoted(topic)} is a filter, not a topic`;
  const [forbidden] = FORBIDDEN.exec(topic) ?? [];
  if (forbidden !== undefined) {
    const code = forbidden.codePointAt(0) ?? 0;
    return `the topic has a character that MQTT does not allow: U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }
  if (Buffer.byteLength(topic) > MOST_BYTES) return `the topic is longer than ${MOST_BYTES} bytes`;
  return undefined;
}
