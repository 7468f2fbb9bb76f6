import type { GitStage } from "../contract/config.ts";
import type { UndeclaredFile } from "../sign/git_stages.ts";

/** Phrases by which tools say that a file is not there. */
const complaints =
  /no such file|not found|cannot find|can't (open|find|cd)|could not (open|find|read)|enoent|does not exist|cannot open|failed to open|cannot stat/i;

/** Longer than any path. */
const LONGEST = 4096;

/** Words of lines that complain of a file, without quotes and marks. */
function complainedOf(output: string): ReadonlySet<string> {
  const lines = output.split("\n").filter((line) => complaints.test(line)).slice(-40);
  const words = new Set(
    lines.flatMap((line) =>
      line.split(/[\s'"`:,()[\]<>]+/).filter((word) => word.length <= LONGEST).map((word) =>
        word.replace(/^\.\/+/, "").replace(/[./]+$/, "")
      )
    ),
  );
  words.delete("");
  return words;
}

/**
 * Advice when a command failed for want of a file that is there, but not where commands start; undefined when the output
 * names no such file, or when a command may have gone elsewhere.
 */
export function otherDirectoryHint(
  output: string,
  commands: readonly string[],
  delivered: readonly string[],
): string | undefined {
  if (commands.some((command) => /\b(?:cd|pushd)\b/.test(command))) return undefined;
  for (const word of complainedOf(output)) {
    const [target, other] = delivered.filter((target) => target.endsWith(`/${word}`));
    if (target === undefined || other !== undefined || target === `/${word}`) continue;
    const dir = target.slice(0, -word.length - 1);
    return `Commands start in "/", and ${word} is "${target}": begin the command with cd ${dir} &&`;
  }
}

/**
 * Advice when a command failed for want of a file that is in git but that its stage does not declare; undefined when
 * the output names no such file.
 */
export function missingFileHint(
  output: string,
  stage: GitStage,
  undeclared: readonly UndeclaredFile[],
): string | undefined {
  const words = new Set([...complainedOf(output)].map((word) => word.replace(/^\/+/, "")));
  const found = undeclared.filter((file) => {
    const target = file.target.slice(1);
    for (let at = 0; at >= 0; at = target.indexOf("/", at) + 1 || -1) {
      const tail = target.slice(at);
      if (words.has(tail)) return true;
      // A directory that is missing altogether.
      for (let cut = tail.indexOf("/"); cut > 0; cut = tail.indexOf("/", cut + 1)) {
        if (at === 0 && words.has(tail.slice(0, cut))) return true;
      }
    }
    return false;
  });
  if (found.length === 0) return undefined;
  const [{ entry, name }] = found as [UndeclaredFile];
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  return `The commands of ${stage} see declared files only: add ${
    JSON.stringify(name)
  }${more} to git[${entry}].stageDependencies.${stage}, or set visible: all`;
}
