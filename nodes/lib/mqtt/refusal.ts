import { ReasonCodes } from 'mqtt';

/** MQTT 5 section 2.4, reason codes from which on an answer is a refusal. */
export const FAILURE = 0x80;
/** The broker has a packet of this id, so most likely the first copy of this one. */
export const PACKET_ID_IN_USE = 0x91;
export const PACKET_ID_NOT_FOUND = 0x92;
export const PACKET_TOO_LARGE = 0x95;

/** The broker is busy, or has no room for us now. */
const PASSING = new Set([0x89, 0x93, 0x96, 0x97]);

/** What a broker means that refuses a packet. */
export function refusalOf(reasonCode: number): { reason: string; isPassing: boolean } {
  return { reason: `the broker refused it: ${wordsOf(reasonCode)}`, isPassing: PASSING.has(reasonCode) };
}

export function wordsOf(reasonCode: number): string {
  return (ReasonCodes as Record<number, string | undefined>)[reasonCode] ?? `reason code ${reasonCode}`;
}
