/** The examples of the documentation: fenced blocks, and commands within the text. */
import { pages } from "../../site/pages.ts";

const root = new URL("../../", import.meta.url);

/** A fenced block. */
export interface Block {
  /** From the top of the repository. */
  readonly file: string;
  /** Line of its first fence. */
  readonly line: number;
  /** What stands behind the fence: a language, then how it is used. */
  readonly info: string;
  readonly text: string;
}

/** A text with its blocks, and with what it says between backticks outside of them. */
export interface Text {
  readonly file: string;
  readonly blocks: readonly Block[];
  readonly spans: readonly { readonly line: number; readonly text: string }[];
}

/** Every text of the documentation: what is on the site, and what is beside it. */
export async function allTexts(): Promise<readonly Text[]> {
  const files = new Set([...pages.map(({ file }) => file), "bench/README.md"]);
  for await (const { name } of Deno.readDir(new URL("docs", root))) {
    if (name.endsWith(".md")) files.add(`docs/${name}`);
  }
  return await Promise.all(
    [...files].sort().map(async (file) => textOf(file, await Deno.readTextFile(new URL(file, root)))),
  );
}

/** A dappfile with a dimg: an artifact or a project document alone is fine on a page, but not in a file. */
export function withDimg(dappfile: string): string {
  return /^dimg:/m.test(dappfile) ? dappfile : `${dappfile}---\ndimg: app\nfrom: scratch\n`;
}

/** Takes a text apart. */
export function textOf(file: string, markdown: string): Text {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open:
    | { readonly fence: string; readonly info: string; readonly line: number; lines: string[] }
    | undefined;
  for (const [i, line] of markdown.split("\n").entries()) {
    const [, fence, info = ""] = /^\s*(`{3,})(.*)$/.exec(line) ?? [];
    prose.push(open || fence ? "" : line);
    if (open && line.trim() === open.fence) {
      blocks.push({
        file,
        line: open.line,
        info: open.info,
        text: open.lines.map((each) => `${each}\n`).join(""),
      });
      open = undefined;
    } else if (open) open.lines.push(line);
    else if (fence !== undefined) open = { fence, info: info.trim(), line: i + 1, lines: [] };
  }
  if (open) throw new Error(`Cannot read ${file}: the block of line ${open.line} has no end`);
  return { file, blocks, spans: spansOf(prose.join("\n")) };
}

function spansOf(prose: string): Text["spans"] {
  return [...prose.matchAll(/(?<!`)(`+)(?!`)([\s\S]+?)(?<!`)\1(?!`)/g)].map(({ index, 2: text }) => ({
    line: prose.slice(0, index).split("\n").length,
    text: text!.trim().replaceAll(/\s*\n\s*/g, " "),
  }));
}
