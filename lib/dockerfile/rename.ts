import { parseDockerfile } from "./instructions.ts";
import { type DockerfileRequest, stagesOfText } from "./stages.ts";

/**
 * A Dockerfile in which FROM names other images, for those that `names` has. Lines stay where they are. For images that
 * are called as one of its stages is: whoever is told what an image is would take the stage for it.
 *
 * @throws {DockerfileError}
 */
export function renameBases(
  text: string,
  request: DockerfileRequest,
  names: ReadonlyMap<string, string>,
): string {
  if (names.size === 0) return text;
  const file = parseDockerfile(text);
  const lines = [...file.lines];
  for (const { from, base, isStage } of stagesOfText(file, request)) {
    const name = isStage ? undefined : names.get(base);
    if (name === undefined) continue;
    const rest = from.rest.replace(/^\S+/, () => name);
    const flags = from.flags.map((flag) => `${flag} `).join("");
    lines.splice(
      from.line - 1,
      from.lastLine - from.line + 1,
      `FROM ${flags}${rest}`,
      ...Array<string>(from.lastLine - from.line).fill(""),
    );
  }
  return lines.join("\n");
}
