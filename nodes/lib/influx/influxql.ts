/** A name in InfluxQL. All names are quoted: any may be a keyword. */
export function quotedName(name: string): string {
  return `"${escaped(name, /["\\]/g)}"`;
}

/** A text in InfluxQL, such as the value of a tag. */
export function quotedText(text: string): string {
  return `'${escaped(text, /['\\]/g)}'`;
}

/** InfluxQL knows these escapes and no others; a line break as such would end the quotes. */
function escaped(text: string, special: RegExp): string {
  return text.replace(special, '\\$&').replaceAll('\n', '\\n');
}
