/**
 * A regular expression of JavaScript (flag u) taken apart, as far as it takes to match it in linear time. What one
 * character may be stays as it was written: JavaScript itself judges that.
 */
export type PatternNode =
  /** one character: a literal, an escape, a class or a dot, as written */
  | { sort: 'character'; source: string }
  | { sort: 'assertion'; kind: '^' | '$' | '\\b' | '\\B' }
  | { sort: 'sequence'; parts: readonly PatternNode[] }
  | { sort: 'choice'; branches: readonly PatternNode[] }
  | { sort: 'repeat'; part: PatternNode; minimum: number; maximum: number };

/** The pattern asks for what no automaton can do: to look around, or to find again what it has found. */
export class NotLinearError extends Error {}

/** So that groups within groups cannot fill the stack. */
const LONGEST = 1000;

const QUANTIFIER = /(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/uy;
const ESCAPE =
  /\\(?:[pP]\{[^}]*\}|u\{[0-9a-fA-F]+\}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[^])/uy;
const CLASS = /\[(?:\\[^]|[^\]\\])*\]/uy;
const GROUP = /\((?:\?(?::|<[^=!][^>]*>))?/uy;

/** Takes a pattern apart that `new RegExp(pattern, 'u')` has accepted. Throws NotLinearError. */
export function parsePattern(pattern: string): PatternNode {
  if (pattern.length > LONGEST) throw new NotLinearError(`it has more than ${LONGEST} characters`);
  return new PatternParser(pattern).choice();
}

class PatternParser {
  private readonly text: string;
  private position = 0;

  constructor(text: string) {
    this.text = text;
  }

  choice(): PatternNode {
    const branches = [this.sequence()];
    while (this.text[this.position] === '|') {
      this.position += 1;
      branches.push(this.sequence());
    }
    return branches.length === 1 && branches[0] !== undefined ? branches[0] : { sort: 'choice', branches };
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (;;) {
      const next = this.text[this.position];
      if (next === undefined || next === '|' || next === ')') return { sort: 'sequence', parts };
      parts.push(this.repeated(this.term(next)));
    }
  }

  private term(next: string): PatternNode {
    if (next === '^' || next === '$') {
      this.position += 1;
      return { sort: 'assertion', kind: next };
    }
    if (next === '(') return this.group();
    if (next === '[') return { sort: 'character', source: this.take(CLASS) };
    if (next !== '\\') return { sort: 'character', source: this.takeCharacter() };
    const source = this.take(ESCAPE);
    if (source === '\\b' || source === '\\B') return { sort: 'assertion', kind: source };
    if (/^\\[1-9k]/.test(source)) throw new NotLinearError('it refers back to what a group has matched');
    return { sort: 'character', source };
  }

  private group(): PatternNode {
    const opening = this.take(GROUP);
    if (opening === '(' && this.text[this.position] === '?')
      throw new NotLinearError('it looks ahead or behind, or changes its flags');
    const node = this.choice();
    this.position += 1;
    return node;
  }

  private repeated(part: PatternNode): PatternNode {
    QUANTIFIER.lastIndex = this.position;
    const found = QUANTIFIER.exec(this.text);
    if (found === null) return part;
    this.position = QUANTIFIER.lastIndex;
    const [written, least, comma, most] = found;
    switch (written[0]) {
      case '*':
        return { sort: 'repeat', part, minimum: 0, maximum: Infinity };
      case '+':
        return { sort: 'repeat', part, minimum: 1, maximum: Infinity };
      case '?':
        return { sort: 'repeat', part, minimum: 0, maximum: 1 };
      default: {
        const minimum = Number(least);
        if (comma === undefined) return { sort: 'repeat', part, minimum, maximum: minimum };
        return { sort: 'repeat', part, minimum, maximum: most === '' ? Infinity : Number(most) };
      }
    }
  }

  private take(form: RegExp): string {
    form.lastIndex = this.position;
    const found = form.exec(this.text)?.[0];
    if (found === undefined) throw new NotLinearError('its form is not known here');
    this.position += found.length;
    return found;
  }

  private takeCharacter(): string {
    const character = String.fromCodePoint(this.text.codePointAt(this.position) ?? 0);
    this.position += character.length;
    return character;
  }
}
