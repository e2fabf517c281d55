/** Characters of a device's reason that are kept: it goes into logs, messages and InfluxDB. */
const LONGEST_REASON = 200;

// What would break a line of a log, or cannot be stored as text.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/** Why a device has not performed an action, by an answer with `ok: false`; undefined for any other answer. */
export function refusalIn({ ok, reason }: Record<string, unknown>): string | undefined {
  if (ok !== false) return undefined;
  const said =
    typeof reason === 'string'
      ? reason
          .slice(0, 2 * LONGEST_REASON)
          .replace(UNPRINTABLE, ' ')
          .trim()
      : '';
  if (said === '') return 'the device says so, without a reason';
  return `the device says: ${said.length > LONGEST_REASON ? `${said.slice(0, LONGEST_REASON - 1)}…` : said}`;
}
