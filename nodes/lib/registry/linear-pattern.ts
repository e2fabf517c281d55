import { NotLinearError, parsePattern, type PatternNode } from './pattern-syntax';

/** What ajv needs of a regular expression. */
export interface Pattern {
  test(text: string): boolean;
}

/** Instructions of a program: what a character of a text may cost. */
const MOST_INSTRUCTIONS = 1000;
/** Parts put together while a program is made: repetitions of nothing add no instruction. */
const MOST_PARTS = 10 * MOST_INSTRUCTIONS;

const TOO_LARGE = 'it is too large, with all its repetitions';

/** Characters whose kind is looked up; others are asked of JavaScript one by one. */
const TABLE_SIZE = 256;

type Instruction =
  | { sort: 'character'; matches: (code: number) => boolean; next: number }
  | { sort: 'assertion'; kind: '^' | '$' | '\\b' | '\\B'; next: number }
  | { sort: 'split'; first: number; second: number }
  | { sort: 'match' };

/**
 * The pattern of a registry, in a form whose time grows with the text and no faster, whatever the text: who writes the
 * text is a device. Where that cannot be, it is JavaScript's own; {@link whyNotLinear} says so. Throws SyntaxError when
 * it is no regular expression.
 */
export function patternOf(text: string): Pattern {
  const own = new RegExp(text, 'u');
  try {
    const root = parsePattern(text);
    return isSimple(root) ? own : new LinearPattern(text, root);
  } catch (error) {
    if (error instanceof NotLinearError) return own;
    throw error;
  }
}

/** Why matching a pattern may take for ever, for its author; undefined when it cannot. */
export function whyNotLinear(text: string): string | undefined {
  try {
    const root = parsePattern(text);
    if (!isSimple(root)) new LinearPattern(text, root);
    return undefined;
  } catch (error) {
    if (error instanceof NotLinearError) return error.message;
    throw error;
  }
}

/** Matches by walking through all states at once, as Thompson and Pike do: nothing is tried twice. */
export class LinearPattern implements Pattern {
  /** What the last text has cost, in instructions looked at. */
  steps = 0;
  readonly #text: string;
  readonly #program: Instruction[] = [];
  #parts = 0;
  readonly #start: number;
  readonly #isAnchored: boolean;
  /** For each instruction, the position at which it was last looked at. */
  readonly #seen: Int32Array;

  /** Throws NotLinearError when it is too large. */
  constructor(text: string, root: PatternNode = parsePattern(text)) {
    this.#text = text;
    this.#program.push({ sort: 'match' });
    this.#start = this.#compile(root, 0);
    this.#isAnchored = startsAtBeginning(root);
    this.#seen = new Int32Array(this.#program.length);
  }

  test(text: string): boolean {
    this.steps = 0;
    this.#seen.fill(-1);
    let active: number[] = [];
    let before: number | undefined;
    for (let at = 0; ;) {
      const code = text.codePointAt(at);
      const place = { at, before, after: code };
      const waiting: number[] = [];
      for (const instruction of active) if (this.#follow(instruction, place, waiting)) return true;
      if ((at === 0 || !this.#isAnchored) && this.#follow(this.#start, place, waiting)) return true;
      if (code === undefined || (this.#isAnchored && waiting.length === 0)) return false;
      active = [];
      for (const index of waiting) {
        const instruction = this.#program[index];
        if (instruction?.sort === 'character' && instruction.matches(code)) active.push(instruction.next);
      }
      before = code;
      at += code > 0xffff ? 2 : 1;
    }
  }

  /** Ajv tells patterns apart by it. */
  toString(): string {
    return `linear /${this.#text}/u`;
  }

  /** Collects what waits for a character, from an instruction on; true when the pattern has matched. */
  #follow(from: number, place: Place, waiting: number[]): boolean {
    const due = [from];
    for (let index = due.pop(); index !== undefined; index = due.pop()) {
      this.steps += 1;
      if (this.#seen[index] === place.at) continue;
      this.#seen[index] = place.at;
      const instruction = this.#program[index];
      if (instruction === undefined || instruction.sort === 'match') return true;
      if (instruction.sort === 'character') waiting.push(index);
      else if (instruction.sort === 'split') due.push(instruction.second, instruction.first);
      else if (holds(instruction.kind, place)) due.push(instruction.next);
    }
    return false;
  }

  /** Adds the instructions of a part that goes on with `next`; where it starts. */
  #compile(node: PatternNode, next: number): number {
    this.#parts += 1;
    if (this.#parts > MOST_PARTS) throw new NotLinearError(TOO_LARGE);
    switch (node.sort) {
      case 'character':
        return this.#add({ sort: 'character', matches: matcherOf(node.source), next });
      case 'assertion':
        return this.#add({ sort: 'assertion', kind: node.kind, next });
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case 'choice':
        return node.branches
          .map((branch) => this.#compile(branch, next))
          .reduceRight((second, first) => this.#add({ sort: 'split', first, second }));
      case 'repeat':
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, minimum, maximum }: PatternNode & { sort: 'repeat' }, next: number): number {
    let start = next;
    if (maximum === Infinity) {
      const loop = { sort: 'split' as const, first: 0, second: next };
      start = this.#add(loop);
      loop.first = this.#compile(part, start);
    } else {
      for (let count = minimum; count < maximum; count += 1) {
        start = this.#add({ sort: 'split', first: this.#compile(part, start), second: next });
      }
    }
    for (let count = 0; count < minimum; count += 1) start = this.#compile(part, start);
    return start;
  }

  #add(instruction: Instruction): number {
    if (this.#program.length >= MOST_INSTRUCTIONS) throw new NotLinearError(TOO_LARGE);
    return this.#program.push(instruction) - 1;
  }
}

interface Place {
  at: number;
  before: number | undefined;
  after: number | undefined;
}

function holds(kind: '^' | '$' | '\\b' | '\\B', { before, after }: Place): boolean {
  if (kind === '^') return before === undefined;
  if (kind === '$') return after === undefined;
  return (isWord(before) !== isWord(after)) === (kind === '\\b');
}

function isWord(code: number | undefined): boolean {
  if (code === undefined) return false;
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a) || code === 0x5f;
}

function matcherOf(source: string): (code: number) => boolean {
  const one = new RegExp(`^(?:${source})$`, 'u');
  const table = Array.from({ length: TABLE_SIZE }, (_, code) => one.test(String.fromCharCode(code)));
  return (code) => table[code] ?? one.test(String.fromCodePoint(code));
}

function startsAtBeginning(node: PatternNode): boolean {
  if (node.sort === 'assertion') return node.kind === '^';
  if (node.sort === 'sequence') return node.parts[0] !== undefined && startsAtBeginning(node.parts[0]);
  return node.sort === 'choice' && node.branches.every(startsAtBeginning);
}

/** Whether JavaScript's own way takes no more than linear time: it starts at the beginning, and repeats one thing only. */
function isSimple(root: PatternNode): boolean {
  return startsAtBeginning(root) && repetitionsIn(root) <= 1;
}

/** Things that are repeated; a part that is repeated as a whole counts as many. */
function repetitionsIn(node: PatternNode): number {
  switch (node.sort) {
    case 'sequence':
      return sum(node.parts.map(repetitionsIn));
    case 'choice':
      return sum(node.branches.map(repetitionsIn));
    case 'repeat':
      return node.part.sort === 'character' ? 1 : Infinity;
    default:
      return 0;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
