/** Just behind the string that `from` lies in; -1 when it does not end in this text. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '\\') at += 1;
    else if (character === '"') return at + 1;
  }
  return -1;
}

/** Whether the text ends within a string field; `from` is among the fields of a line, and outside of a string. */
function fieldsEndInString(text: string, from: number): boolean {
  let at = from;
  for (;;) {
    const opening = text.indexOf('="', at);
    if (opening < 0) return false;
    // An escaped equals sign belongs to a field key, where a quote stands for itself.
    at = text.charAt(opening - 1) === '\\' ? opening + 1 : endOfString(text, opening + 2);
    if (at < 0) return true;
  }
}

/** The first space that no backslash stands before: it ends measurement and tags. */
export function startOfFields(text: string): number {
  let at = text.indexOf(' ');
  while (at > 0 && text.charAt(at - 1) === '\\') at = text.indexOf(' ', at + 1);
  return at < 0 ? text.length : at;
}

/** Takes text apart into lines as `lineOf` makes them: a line break inside a string does not end one. */
export class LineSplitter {
  /** Of the line under way, whose string goes on over line breaks. */
  #pieces: string[] = [];
  #rest = '';
  #held = 0;

  /** @returns the lines that have become complete */
  push(text: string): string[] {
    const lines: string[] = [];
    if (!text.includes('\n')) {
      // To look through a long line again for each part of it would take for ever.
      this.#rest += text;
      return lines;
    }
    const pieces = (this.#rest + text).split('\n');
    this.#rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const isOpen = this.#isOpenAfter(piece);
      if (!isOpen && this.#pieces.length === 0) {
        lines.push(piece);
        continue;
      }
      this.#pieces.push(piece);
      this.#held += piece.length;
      if (isOpen) continue;
      lines.push(this.#pieces.join('\n'));
      this.#pieces = [];
      this.#held = 0;
    }
    return lines;
  }

  /** Characters of the line that has begun and not ended. */
  get held(): number {
    return this.#held + this.#rest.length;
  }

  /** Whether a line has begun that has not ended. */
  get isWithin(): boolean {
    return this.#pieces.length > 0 || this.#rest !== '';
  }

  #isOpenAfter(piece: string): boolean {
    if (this.#pieces.length === 0) return piece.includes('="') && fieldsEndInString(piece, startOfFields(piece));
    const end = endOfString(piece, 0);
    return end < 0 || fieldsEndInString(piece, end);
  }
}

/** The time of a line, in nanoseconds since 1970. */
export function timeOf(line: string): bigint {
  return BigInt(line.slice(line.lastIndexOf(' ') + 1));
}

const MEASUREMENT = /^(?:\\[, ]|[^, ])*/;

/** The measurement of a line as `lineOf` makes them. */
export function measurementOf(line: string): string {
  return (MEASUREMENT.exec(line)?.[0] ?? '').replace(/\\([, ])/g, '$1');
}
