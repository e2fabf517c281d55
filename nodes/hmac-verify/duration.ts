const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** A duration of milliseconds (not negative) for people: its two largest units, as `1 d 3 h`, `59 min 1 s` or `1 s 200 ms`. */
export function durationText(milliseconds: number): string {
  const first = UNITS.findIndex(([, unit]) => milliseconds >= unit);
  if (first === -1) return '0 ms';
  let rest = milliseconds;
  const parts: string[] = [];
  for (const [name, unit] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}
