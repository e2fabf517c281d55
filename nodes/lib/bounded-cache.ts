/** Entries in one generation; there are two. */
const GENERATION_ENTRIES = 65_536;
/** Characters of one generation, keys and what hangs on them together; a character is at most two bytes. */
const GENERATION_CHARACTERS = 8_388_608;
/** A name longer than this is none that comes again and again: looking for it anew costs less than the room it takes. */
const LONGEST_KEY = 4096;

/**
 * Keeps the latest results by a name that others choose, such as a topic, with a bound on both their number and the
 * length of their texts. What is used moves from the old generation to the young one; when the young one is full, it
 * becomes the old one.
 */
export class BoundedCache<Value> {
  private readonly entries: number;
  private readonly characters: number;
  private young = new Map<string, Entry<Value>>();
  private old = new Map<string, Entry<Value>>();
  private youngCharacters = 0;
  private oldCharacters = 0;

  constructor(entries: number = GENERATION_ENTRIES, characters: number = GENERATION_CHARACTERS) {
    this.entries = entries;
    this.characters = characters;
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  /** Characters of all texts that are kept: at most two generations. */
  get length(): number {
    return this.youngCharacters + this.oldCharacters;
  }

  get(key: string): Value | undefined {
    const entry = this.young.get(key);
    if (entry !== undefined) return entry.value;
    const older = this.old.get(key);
    if (older !== undefined) this.add(key, older);
    return older?.value;
  }

  /** @param characters - of the texts that the value holds; it is not kept when they and the key are too long */
  set(key: string, value: Value, characters = 0): void {
    const length = key.length + characters;
    if (key.length > LONGEST_KEY || length > this.characters) return;
    this.add(key, { value, length });
  }

  clear(): void {
    this.young = new Map();
    this.old = new Map();
    this.youngCharacters = 0;
    this.oldCharacters = 0;
  }

  private add(key: string, entry: Entry<Value>): void {
    if (this.young.size >= this.entries || this.youngCharacters + entry.length > this.characters) {
      this.old = this.young;
      this.oldCharacters = this.youngCharacters;
      this.young = new Map();
      this.youngCharacters = 0;
    }
    this.young.set(key, entry);
    this.youngCharacters += entry.length;
  }
}

interface Entry<Value> {
  value: Value;
  length: number;
}
