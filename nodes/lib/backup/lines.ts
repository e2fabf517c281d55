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

/** Characters of a line beyond which it is none: damage can make one of all that follows. A restore sends as many at once. */
export const LONGEST_LINE = 4 * 1024 * 1024;
/** Pieces that are put together at once, so that a list of empty ones does not become larger than what they hold. */
const MOST_PIECES = 1024;

/** Takes text apart into lines as `lineOf` makes them: a line break inside a string does not end one. */
export class LineSplitter {
  /** Of the line under way, whose string goes on over line breaks: many pieces already put together, and the latest ones. */
  #blocks: string[] = [];
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
      if (!isOpen && !this.#isInString) {
        lines.push(piece);
        continue;
      }
      this.#hold(piece);
      if (isOpen) continue;
      lines.push([...this.#blocks, ...this.#pieces].join('\n'));
      this.#blocks = [];
      this.#pieces = [];
      this.#held = 0;
    }
    return lines;
  }

  #hold(piece: string): void {
    this.#held += piece.length + 1;
    this.#pieces.push(piece);
    if (this.#pieces.length < MOST_PIECES) return;
    this.#blocks.push(this.#pieces.join('\n'));
    this.#pieces = [];
  }

  get #isInString(): boolean {
    return this.#pieces.length > 0 || this.#blocks.length > 0;
  }

  /** Characters of the line that has begun and not ended, with its line breaks. */
  get held(): number {
    return this.#held + this.#rest.length;
  }

  /** Whether a line has begun that has not ended. */
  get isWithin(): boolean {
    return this.#isInString || this.#rest !== '';
  }

  #isOpenAfter(piece: string): boolean {
    if (!this.#isInString) return piece.includes('="') && fieldsEndInString(piece, startOfFields(piece));
    const end = endOfString(piece, 0);
    return end < 0 || fieldsEndInString(piece, end);
  }
}

const TIME = /^-?[0-9]{1,19}$/;

/**
 * The time of a line, in nanoseconds since 1970.
 *
 * @throws RangeError when it has none
 */
export function timeOf(line: string): bigint {
  const time = line.slice(line.lastIndexOf(' ') + 1);
  // A number of millions of digits takes minutes.
  if (time.length > 20 || !TIME.test(time)) throw new RangeError('not a time');
  return BigInt(time);
}

/** The measurement of a line as `lineOf` makes them. */
export function measurementOf(line: string): string {
  // A loop: a pattern for it keeps a state for each character.
  let end = 0;
  for (; end < line.length; end++) {
    const character = line.charAt(end);
    if (character === ',' || character === ' ') break;
    if (character === '\\' && ', '.includes(line.charAt(end + 1) || '-')) end += 1;
  }
  return line.slice(0, end).replace(/\\([, ])/g, '$1');
}
