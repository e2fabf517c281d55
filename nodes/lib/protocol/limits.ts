/**
 * Levels of arrays and objects that the value of a message's member may have. The payload object itself is the first
 * level, so a payload and a whole message that carries it are judged alike; the message object around it is not counted.
 */
export const MAXIMUM_DEPTH = 32;

/** Digits of an integer. Python's own limit (`sys.get_int_max_str_digits`), beyond which it refuses to read one. */
export const MAXIMUM_INTEGER_DIGITS = 4300;

/** Longest message accepted unless told otherwise: 64 KiB. A signed message of a sensor has a few hundred bytes. */
export const DEFAULT_MAXIMUM_BYTES = 65_536;
