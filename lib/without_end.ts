/**
 * A text without the characters `end` that it ends with. The pattern `x+$` finds the same, but from each of many that it does
 * not end with looks for the end again.
 */
export function withoutEnd(text: string, end: string): string {
  let length = text.length;
  while (length > 0 && text[length - 1] === end) length--;
  return text.slice(0, length);
}
