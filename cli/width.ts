/** How many terminal columns text takes. */

/** East Asian wide and full-width characters (UAX #11), without emoji, which Unicode properties tell. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x20000, 0x3fffd],
];

const ascii = /^[\x20-\x7e]*$/;
const emoji = /\p{Emoji_Presentation}|\u{fe0f}/u;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u{1160}-\u{11ff}]$/u;
const escape = new RegExp("(\x1b\\[[0-9;:]*m)");
let segmenter: Intl.Segmenter | undefined;

/** The user-perceived characters of a text. Loading what knows them takes as long as half of a run. */
function clusters(text: string): Intl.Segments {
  return (segmenter ??= new Intl.Segmenter()).segment(text);
}

/** Columns of one line of text; color sequences take none. */
export function displayWidth(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const part of text.split(escape)) {
    if (part.startsWith("\x1b")) continue;
    if (ascii.test(part)) width += part.length;
    else for (const { segment } of clusters(part)) width += clusterWidth(segment);
  }
  return width;
}

/** Breaks text between words into lines of at most `columns`; a longer word has a line of its own. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(`${last} ${word}`) <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** Cuts a line to at most `columns`, with an ellipsis where something is missing. Color sequences all stay. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns < 1) return "";
  let out = "";
  let width = 0;
  let full = false;
  for (const part of text.split(escape)) {
    if (part.startsWith("\x1b")) {
      out += part;
      continue;
    }
    if (full) continue;
    for (const { segment } of clusters(part)) {
      const next = width + clusterWidth(segment);
      if (next > columns - 1) {
        full = true;
        out += "…";
        break;
      }
      out += segment;
      width = next;
    }
  }
  return out;
}

/** Columns of one user-perceived character. */
function clusterWidth(cluster: string): 0 | 1 | 2 {
  if (emoji.test(cluster)) return 2;
  let width: 0 | 1 = 0;
  for (const character of cluster) {
    if (isWide(character.codePointAt(0)!)) return 2;
    if (!invisible.test(character)) width = 1;
  }
  return width;
}

function isWide(code: number): boolean {
  return code >= 0x1100 && wideRanges.some(([from, to]) => code >= from && code <= to);
}
