import type { RefusedLine, WriteOutcome } from './outcome';
import { parseLine, type ParsedLine } from './parse-line';
import { causeOf, quotedLines, reasonForLine, type BatchLine } from './refusal';

/** An outcome that says something of the lines, not of the server or the connection. */
export type Verdict = Exclude<WriteOutcome, { kind: 'retry' | 'configuration' }>;

/** Writes lines until there is a verdict, however long that takes. */
export type Send = (lines: readonly string[]) => Promise<Verdict>;

/**
 * Finds the lines of a request that InfluxDB refuses, and sees that all others are stored.
 *
 * 3.x gives their numbers, and 1.x and 2.x quote those they cannot parse. For all else 1.x and 2.x name one cause, which
 * leads to suspects: the others are sent without them, then the suspects alone, and when InfluxDB says that it dropped as many
 * lines as it was sent, none of them need be tried by itself. Where nothing helps, the lines are sent in halves. To send a
 * line once more does no harm: it overwrites itself.
 *
 * @param verdict - of the request with all the lines
 * @returns refused lines with InfluxDB's reason, in the order of the lines
 */
export async function findRefused(lines: readonly string[], verdict: Verdict, send: Send): Promise<RefusedLine[]> {
  const search = new Search(send);
  await search.resolve(lines.map(batchLine), verdict);
  return search.refused.sort((a, b) => a.index - b.index);
}

class Search {
  readonly refused: RefusedLine[] = [];
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  async resolve(lines: readonly BatchLine[], verdict: Verdict): Promise<void> {
    if (verdict.kind === 'written') return;
    const [first] = lines;
    if (first && lines.length === 1) {
      this.#refuse(lines, lineReason(verdict));
      return;
    }
    if (verdict.kind === 'too-large') {
      await this.#halve(lines);
      return;
    }
    if (verdict.kind === 'partly-written' && verdict.lines && this.#refuseNumbered(lines, verdict.lines)) return;
    const { refused, complete } = quotedLines(lines, verdict.reason);
    if (refused.length > 0) {
      for (const { line, reason } of refused) this.#refuse([line], reason);
      // 1.x has stored the others; 2.x has not.
      if (verdict.kind === 'partly-written' && complete) return;
      const found = new Set(refused.map(({ line }) => line));
      await this.#sendOnly(lines.filter((line) => !found.has(line)));
      return;
    }
    await this.#narrow(lines, verdict.reason);
  }

  async #narrow(lines: readonly BatchLine[], reason: string): Promise<void> {
    const { suspects, dropped } = causeOf(reason);
    const suspected = suspects(lines);
    const isCertain = dropped >= lines.length && (suspected.length === 0 || suspected.length === lines.length);
    if (isCertain) {
      this.#refuse(lines, reasonForLine(reason));
      return;
    }
    const together = withSamePoints(suspected, lines);
    if (together.size === 0 || together.size === lines.length) {
      await this.#halve(inOrderOfSeries(lines));
      return;
    }
    await this.#sendOnly(lines.filter((line) => !together.has(line)));
    await this.#sendOnly(lines.filter((line) => together.has(line)));
  }

  async #halve(lines: readonly BatchLine[]): Promise<void> {
    const middle = Math.ceil(lines.length / 2);
    await this.#sendOnly(lines.slice(0, middle));
    await this.#sendOnly(lines.slice(middle));
  }

  async #sendOnly(lines: readonly BatchLine[]): Promise<void> {
    if (lines.length > 0) await this.resolve(lines, await this.#send(lines.map(({ text }) => text)));
  }

  /** False when the numbers cannot be those of the lines. */
  #refuseNumbered(lines: readonly BatchLine[], numbered: readonly RefusedLine[]): boolean {
    if (numbered.length === 0 || numbered.some(({ index }) => lines[index] === undefined)) return false;
    const reasons = new Map(numbered.map(({ index, reason }) => [index, reason]));
    for (const [index, line] of lines.entries()) {
      const reason = reasons.get(index);
      if (reason !== undefined) this.#refuse([line], reason);
    }
    return true;
  }

  #refuse(lines: readonly BatchLine[], reason: string): void {
    for (const { index } of lines) this.refused.push({ index, reason });
  }
}

/** The reason for a line that was sent alone. */
function lineReason(verdict: Exclude<Verdict, { kind: 'written' }>): string {
  if (verdict.kind === 'partly-written' && verdict.lines?.[0]) return verdict.lines[0].reason;
  return reasonForLine(verdict.reason).replace(/^unable to parse '.*': /s, 'unable to parse: ');
}

function batchLine(text: string, index: number): BatchLine {
  let parsed: ParsedLine | undefined;
  let isParsed = false;
  return {
    index,
    text,
    parsed() {
      if (!isParsed) {
        parsed = parsedOrNot(text);
        isParsed = true;
      }
      return parsed;
    },
  };
}

function parsedOrNot(text: string): ParsedLine | undefined {
  try {
    return parseLine(text);
  } catch {
    return undefined; // what InfluxDB cannot parse may be no line at all
  }
}

function seriesOf(line: BatchLine): string {
  const parsed = line.parsed();
  if (!parsed) return '';
  return JSON.stringify([parsed.measurement, ...Object.entries(parsed.tags).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/**
 * The lines with all that write the same points: of several the last one counts, so they must not change their order, and
 * lines that are sent apart do.
 */
function withSamePoints(some: readonly BatchLine[], all: readonly BatchLine[]): Set<BatchLine> {
  const pointOf = (line: BatchLine): string => `${seriesOf(line)} ${line.parsed()?.time ?? ''}`;
  const points = new Set(some.map(pointOf));
  return new Set(points.size === 0 ? [] : all.filter((line) => points.has(pointOf(line))));
}

/** Refused lines often come from one device: side by side they fall into the same half. Lines of one point keep their order. */
function inOrderOfSeries(lines: readonly BatchLine[]): BatchLine[] {
  const keyed = lines.map((line) => ({ line, series: seriesOf(line), time: BigInt(line.parsed()?.time ?? 0) }));
  keyed.sort((a, b) => {
    if (a.series !== b.series) return a.series < b.series ? -1 : 1;
    if (a.time !== b.time) return a.time < b.time ? -1 : 1;
    return 0;
  });
  return keyed.map(({ line }) => line);
}
