/**
 * 64 bits of a text, in two halves (cyrb53): to tell texts apart, not to keep a forger out. They are so well mixed that sums of
 * them tell sets of texts apart.
 */
export class TextHash {
  /** Whole numbers below 2^32, of the text that was taken last. */
  high = 0;
  low = 0;

  take(text: string): void {
    let high = 0xdeadbeef;
    let low = 0x41c6ce57;
    for (let at = 0; at < text.length; at++) {
      const character = text.charCodeAt(at);
      high = Math.imul(high ^ character, 2654435761);
      low = Math.imul(low ^ character, 1597334677);
    }
    high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
    this.high = high >>> 0;
    this.low = low >>> 0;
  }
}
