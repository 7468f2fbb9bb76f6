import type { GitStage } from "../contract/config.ts";
import type { UndeclaredFile } from "../sign/git_stages.ts";

/** Phrases by which tools say that a file is not there. */
const complaints =
  /no such file|not found|cannot find|can't (open|find|cd)|could(?:n't| not) (open|find|read|locate)|enoent|does not exist|cannot open|failed to open|cannot stat|must be present|no rule to make target/i;

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
  const lengths = undeclared.map(({ target }) => namedIn(words, target.slice(1)));
  // Where a directory and one below it are missing, the inner one tells what is wanted.
  const longest = Math.max(0, ...lengths);
  const found = undeclared.filter((_, i) => longest > 0 && lengths[i] === longest);
  if (found.length === 0) return undefined;
  const [{ entry, name }] = found as [UndeclaredFile];
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  return `The commands of ${stage} see declared files only: add ${
    JSON.stringify(name)
  }${more} to git[${entry}].stageDependencies.${stage}, or set visible: all`;
}

/** How much of a path the words name: all of it, its end, or the directory that it is in; 0 for nothing. */
function namedIn(words: ReadonlySet<string>, target: string): number {
  for (let at = 0; at >= 0; at = target.indexOf("/", at) + 1 || -1) {
    if (words.has(target.slice(at))) return Infinity;
  }
  // A directory that is missing altogether.
  for (let cut = target.lastIndexOf("/"); cut > 0; cut = target.lastIndexOf("/", cut - 1)) {
    if (words.has(target.slice(0, cut))) return cut;
  }
  return 0;
}

/**
 * Advice when a shell could not start a file that is there, in the words of bash, dash and busybox; undefined when the
 * output says nothing of the kind.
 */
export function notStartedHint(
  output: string,
  commands: readonly string[],
  delivered: readonly string[],
): string | undefined {
  const dirs = commands.flatMap((command) =>
    [...command.matchAll(/\bcd\s+(\/[^\s;&|]*)/g)].map(([, dir]) => dir!)
  );
  const lines = output.matchAll(
    /(?:^|[\s:])([^\s:]*\/[^\s:]+): (?:(permission denied)|not found|cannot execute: required file not found|.*: bad interpreter: .*)$/gim,
  );
  for (const [, path = "", denied] of lines) {
    const places = path.startsWith("/")
      ? [path]
      : ["", ...dirs].map((dir) => `${dir.replace(/\/+$/, "")}/${path.replace(/^(?:\.\/)+/, "")}`);
    const target = delivered.find((target) => places.includes(target));
    if (target === undefined) continue;
    return denied === undefined
      ? `"${target}" is there, but what its first line names is not: name a program that the image has, and end lines ` +
        'with LF, not CRLF (git: "* text=auto eol=lf" in .gitattributes)'
      : `"${target}" is not executable: git update-index --chmod=+x FILE and commit, or start it with its shell: sh ${path}`;
  }
}
