import type { Source } from "./source.ts";

/** Directives that open a block. */
const OPENS = /^\{\{-?\s*(if|range|with|define|block)\b/;
const BY_HAND =
  "Write out what the template makes; equal parts of documents go under `defaults`, `template` or `matrix`";

/**
 * The text without Go templates: variables of the environment as the dappfile writes them, and blank lines in place of
 * whatever else a template made, which is remarked upon.
 */
export function withoutTemplates(source: Source): string {
  /** Of each open block: whether its lines count. */
  const blocks: boolean[] = [];
  return source.lines.map((line, at) => {
    const text = line.trim();
    const leave = (what: string) => {
      source.remark(at + 1, at + 1, what, BY_HAND);
      return "";
    };
    if (/^\{\{.*\}\}$/.test(text) && !/^\{\{-?\s*env\b/.test(text)) {
      if (OPENS.test(text)) {
        blocks.push(!/^\{\{-?\s*(define|block)\b/.test(text) && !blocks.includes(false));
        const held = /^\{\{-?\s*(if|with)\b/.test(text);
        return leave(
          held ? "a condition: what it holds is there as if it were true" : "a template is left out",
        );
      }
      if (/^\{\{-?\s*else\b/.test(text)) blocks[blocks.length - 1] = false;
      else if (/^\{\{-?\s*end\b/.test(text)) blocks.pop();
      return leave("a template is left out");
    }
    if (blocks.includes(false)) return text === "" ? "" : leave("it is part of a template, and left out");
    if (!line.includes("{{")) return line;
    const quoted = /"[^"]*\{\{/.test(line);
    const adapted = line.replaceAll(
      /(?<!\$)\{\{-?\s*env\s+"(\w+)"(?:\s+"([^"]*)"|\s*\|\s*default\s+"([^"]*)")?(?:\s*\|\s*quote)?\s*-?\}\}/g,
      (whole, name: string, second?: string, piped?: string) => {
        const other = second ?? piped;
        if (other !== undefined && quoted) return whole;
        return other === undefined ? `\${{ env.${name} }}` : `\${{ env.${name} || "${other}" }}`;
      },
    );
    return /(?<!\$)\{\{/.test(adapted) ? leave("a template makes part of it: the line is left out") : adapted;
  }).join("\n");
}
