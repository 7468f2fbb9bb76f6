/**
 * Whether this commit can be released: `deno task release:check [--tag vVERSION]`. Prints what stands against it.
 */
import { parseArgs } from "@std/cli/parse-args";
import { project } from "./project.ts";

/** What stands against releasing `version` with this changelog. @param tag the git tag that is to be released */
export function problemsOf(version: string, changelog: string, tag?: string): readonly string[] {
  const problems: string[] = [];
  const [head = ""] = /^## .*$/m.exec(changelog) ?? [];
  const [, named, when] = /^## (\S+) \((.*)\)$/.exec(head) ?? [];
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(version)) {
    problems.push(`deno.json: "${version}" is no version, wanted is one like 1.2.3`);
  }
  if (named !== version) {
    problems.push(`CHANGELOG.md: the first section is "${head}", wanted is "## ${version} (YYYY-MM-DD)"`);
  } else if (!/^\d{4}-\d\d-\d\d$/.test(when ?? "")) {
    problems.push(`CHANGELOG.md: ${version} has no date, but "(${when})": write the day of the release`);
  }
  const section = changelog.slice(changelog.indexOf(head) + head.length).split(/^## /m)[0]!;
  if (!/^- \S/m.test(section)) problems.push(`CHANGELOG.md: the section of ${version} says nothing`);
  if (tag !== undefined && tag !== `v${version}`) {
    problems.push(`the git tag is "${tag}", and deno.json says ${version}: wanted is "v${version}"`);
  }
  return problems;
}

if (import.meta.main) {
  const { tag } = parseArgs(Deno.args, { string: ["tag"] });
  const changelog = await Deno.readTextFile(new URL("CHANGELOG.md", project.root));
  const problems = problemsOf(project.version, changelog, tag === undefined ? undefined : String(tag));
  const text = problems.length === 0 ? [`${project.name} ${project.version} can be released`] : problems;
  await Deno.stdout.write(new TextEncoder().encode(`${text.join("\n")}\n`));
  Deno.exit(problems.length === 0 ? 0 : 1);
}
