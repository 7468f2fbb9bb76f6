/** The instructions of a Dockerfile, with the lines they are on. */

/** An instruction. */
export interface Instruction {
  /** In capitals. */
  readonly name: string;
  /** What follows the name, its lines joined. */
  readonly rest: string;
  readonly line: number;
  readonly end: number;
  /** It has a here-document, whose lines are among its own. */
  readonly heredoc: boolean;
}

/** What a Dockerfile holds. */
export interface DockerfileLines {
  readonly instructions: readonly Instruction[];
  readonly comments: readonly { readonly line: number; readonly text: string }[];
  /** `# escape=` and others at the top, but for `# syntax=`. */
  readonly directives: readonly number[];
}

/** Splits the lines of a Dockerfile. Never fails. */
export function readDockerfileLines(lines: readonly string[]): DockerfileLines {
  const instructions: Instruction[] = [];
  const comments: { readonly line: number; readonly text: string }[] = [];
  const directives: number[] = [];
  let top = true;
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at]!.trim();
    if (text === "") {
      top = false;
      continue;
    }
    if (text.startsWith("#")) {
      if (top && /^#\s*(escape|check)\s*=/i.test(text)) directives.push(at + 1);
      else comments.push({ line: at + 1, text: text.replace(/^#\s?/, "") });
      top &&= /^#\s*\w+\s*=/.test(text);
      continue;
    }
    top = false;
    const line = at + 1;
    const parts: string[] = [];
    for (;; at++) {
      const part = (lines[at] ?? "").replace(/\s+$/, "");
      const inner = parts.length > 0 && part.trim().startsWith("#");
      if (inner) comments.push({ line: at + 1, text: part.trim().replace(/^#\s?/, "") });
      else parts.push(part.replace(/\\$/, "").trim());
      if (at + 1 >= lines.length || !inner && !part.endsWith("\\")) break;
    }
    const [, name = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(
      parts.filter((part) => part !== "").join(" "),
    ) ?? [];
    const words = [...rest.matchAll(/<<-?\s*["']?(\w+)["']?/g)].map(([, word]) => word!);
    const heredoc = words.length > 0 && /^(RUN|COPY|ADD)$/i.test(name);
    for (const word of heredoc ? words : []) {
      while (at + 1 < lines.length && lines[at + 1]!.trim() !== word) at++;
      at = Math.min(at + 1, lines.length - 1);
    }
    instructions.push({ name: name.toUpperCase(), rest, line, end: at + 1, heredoc });
  }
  return { instructions, comments, directives };
}
