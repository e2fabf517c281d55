/** The end of the string that opens at `start`, just behind its closing quote. */
function endOfString(body: string, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    const character = body.charAt(at);
    if (character === '\\') at += 1;
    else if (character === '"') return at + 1;
  }
  return body.length;
}

/** The end of the line whose fields begin at `start`; line breaks inside strings do not end it. */
function endOfLine(body: string, start: number): number {
  let at = start;
  while (at < body.length && body.charAt(at) !== '\n') {
    const character = body.charAt(at);
    if (character === '\\') at += 2;
    else if (character === '=' && body.charAt(at + 1) === '"') at = endOfString(body, at + 1);
    else at += 1;
  }
  return at;
}

/**
 * In measurements and tags a backslash stands for itself in 1.x and 2.x, but 3.x reads two of them as one. So those that
 * stand for themselves are doubled for it. Strings and field keys need no such care: in strings all versions agree, and a
 * field key where they would not is never written.
 *
 * @param body - lines made by `lineOf`, joined by line breaks
 */
export function bodyForVersion3(body: string): string {
  if (!body.includes('\\')) return body;
  let result = '';
  for (let at = 0; at < body.length;) {
    let character = body.charAt(at);
    // Measurement and tags: up to the first space that no backslash stands before.
    while (character !== ' ' && character !== '') {
      const next = body.charAt(at + 1);
      const escapes = character === '\\' && (next === ',' || next === '=' || next === ' ');
      if (escapes) result += character + next;
      else result += character === '\\' ? '\\\\' : character;
      at += escapes ? 2 : 1;
      character = body.charAt(at);
    }
    const end = endOfLine(body, at) + 1;
    result += body.slice(at, end);
    at = end;
  }
  return result;
}
