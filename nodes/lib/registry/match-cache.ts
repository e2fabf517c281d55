/** Entries in one generation; there are two. */
const GENERATION_ENTRIES = 65_536;
/** Characters of all keys of one generation: topics can be 64 KiB long. */
const GENERATION_CHARACTERS = 8_388_608;

/**
 * Keeps the latest results by topic, with a bound on both their number and the length of their topics. What is used
 * moves from the old generation to the young one; when the young one is full, it becomes the old one.
 */
export class MatchCache<Value> {
  private readonly entries: number;
  private readonly characters: number;
  private young = new Map<string, Value>();
  private old = new Map<string, Value>();
  private youngCharacters = 0;

  constructor(entries: number = GENERATION_ENTRIES, characters: number = GENERATION_CHARACTERS) {
    this.entries = entries;
    this.characters = characters;
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  get(topic: string): Value | undefined {
    const value = this.young.get(topic);
    if (value !== undefined) return value;
    const older = this.old.get(topic);
    if (older !== undefined) this.set(topic, older);
    return older;
  }

  set(topic: string, value: Value): void {
    if (this.young.size >= this.entries || this.youngCharacters + topic.length > this.characters) {
      this.old = this.young;
      this.young = new Map();
      this.youngCharacters = 0;
    }
    this.young.set(topic, value);
    this.youngCharacters += topic.length;
  }
}
