/**
 * A secret as it is meant: files and commands end their last line with a line break, and so does a variable that was filled
 * from one. One at the end is left out.
 */
export function withoutFinalLineBreak(secret: string): string {
  return secret.replace(/\r?\n$/, '');
}
