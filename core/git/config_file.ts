/**
 * The last value of one key in the text of a git config file (git-config(1), "Syntax"). Does not follow includes.
 *
 * `section` and `key` are compared without regard to case, `subsection` exactly. A key without a value is "true".
 */
import { withoutEnd } from "../../lib/without_end.ts";
export function configValue(
  text: string,
  section: string,
  subsection: string,
  key: string,
): string | undefined {
  let inside = false;
  let found: string | undefined;
  // A backslash at the end of a line joins it to the next one.
  for (let line of text.replaceAll("\\\r\n", "").replaceAll("\\\n", "").split(/\r?\n/)) {
    line = line.trim();
    const header = /^\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)"\s*)?\]/.exec(line);
    if (header) {
      const name = header[2] === undefined ? header[1]! : `${header[1]}.${unescape(header[2])}`;
      const [own, ...rest] = name.split(".");
      inside = own!.toLowerCase() === section && rest.join(".") === subsection;
      line = line.slice(header[0].length).trim();
    }
    const row = inside && /^([A-Za-z][\w-]*)\s*(?:=\s*(.*))?$/.exec(line);
    if (row && row[1]!.toLowerCase() === key) found = row[2] === undefined ? "true" : unquote(row[2]);
  }
  return found;
}

/** A value without its quotes, escapes and trailing comment. */
function unquote(raw: string): string {
  let [out, quoted, kept] = ["", false, 0];
  for (let i = 0; i < raw.length; i++) {
    const char = raw[i]!;
    if (char === '"') quoted = !quoted;
    else if (char === "\\") {
      out += ({ n: "\n", t: "\t", b: "\b" } as Record<string, string>)[raw[++i] ?? ""] ?? raw[i] ?? "";
    } else if (!quoted && (char === "#" || char === ";")) break;
    else out += char;
    if (quoted || !/\s/.test(char)) kept = out.length;
  }
  return out.slice(0, kept);
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}

/** The last path element of a repository URL without `.git`: `git@host:group/shop.git` gives `shop`. */
export function repositoryName(url: string): string | undefined {
  const path = withoutEnd(url.replace(/[?#].*$/, ""), "/").replace(/\/\.git$/, "");
  return path.split(/[/:]/).at(-1)?.replace(/\.git$/, "") || undefined;
}
