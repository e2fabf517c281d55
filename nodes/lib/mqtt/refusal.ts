import { ReasonCodes } from 'mqtt';

/** MQTT 5 section 2.4: the broker is busy, or has no room for us now. */
const PASSING = new Set([0x89, 0x91, 0x93, 0x96, 0x97]);

/** What a broker means that refuses a packet. */
export function refusalOf(reasonCode: number): { reason: string; isPassing: boolean } {
  const words = (ReasonCodes as Record<number, string | undefined>)[reasonCode] ?? `reason code ${reasonCode}`;
  return { reason: `the broker refused it: ${words}`, isPassing: PASSING.has(reasonCode) };
}
