/** From what files became to a dappfile with the remarks in it. */
import { stringify } from "yaml";
import { projectWord, SCHEMA_HINT } from "../new_dappfile.ts";
import type { Migrated, Remark } from "./source.ts";

/** A dappfile, with what was left out at its end. @param directory names the project where nothing else does */
export function composeDappfile(migrated: readonly Migrated[], directory: string): string {
  const remarks = migrated.flatMap((each) => each.remarks);
  const name = migrated.flatMap(({ project }) => project ?? []).at(0) ?? directory;
  const documents = [
    { comments: migrated.flatMap((each) => each.comments ?? []), value: { project: projectWord(name) } },
    ...migrated.flatMap((each) => each.documents),
  ].map(({ comments, value }) =>
    [SCHEMA_HINT, ...comments.map(comment), stringify(value, { lineWidth: 0 }).trimEnd()].join("\n")
  );
  const left = remarks.length === 0
    ? []
    : ["", "# What was left out or changed:", ...remarks.flatMap(remarkLines)];
  return `${documents.join("\n---\n")}${left.map((line) => `\n${line}`).join("")}\n`;
}

/** `werf.yaml:12-14: ansible: what became of it. What to do`, for people. */
export function remarkText({ file, line, end, text, what, fix }: Remark): string {
  return `${file}:${line}${end > line ? `-${end}` : ""}: ${text}\n  ${what}. ${fix}`;
}

function remarkLines(remark: Remark): readonly string[] {
  return remarkText(remark).split("\n").map(comment);
}

function comment(text: string): string {
  return text === "" ? "#" : `# ${text}`;
}
