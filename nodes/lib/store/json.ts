/** What a text says; undefined when it is no JSON. For what was stored: whether it is what it should be is the caller's to see. */
export function parseJson(text: Buffer | string): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}
