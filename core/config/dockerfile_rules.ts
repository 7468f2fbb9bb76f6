import type { DockerfileRule } from "../contract/config.ts";
import { defined, given } from "./parts.ts";
import type { DocumentScope } from "./report.ts";
import type { ImageDocument } from "./schema.ts";

/** Keys that say how a Dockerfile is built. */
const OF_DOCKERFILES = ["context", "target", "args"] as const;

/** The Dockerfile of an image, if it has one; reports what is said of one that is not there. */
export function readDockerfile(document: ImageDocument, scope: DocumentScope): DockerfileRule | undefined {
  const { dockerfile, target, args } = document;
  if (dockerfile === undefined) {
    if (given(scope, [], document, "dockerfile")) return undefined;
    for (const key of OF_DOCKERFILES) {
      if (!given(scope, [], document, key)) continue;
      scope.problem([key], `\`${key}\` is for images of a Dockerfile`, "Add `dockerfile: Dockerfile`", "key");
    }
    return undefined;
  }
  if (dockerfile === "") {
    scope.problem(["dockerfile"], "A directory is no Dockerfile", "Name the file, such as `Dockerfile`");
  }
  const context = inProject("context", document.context ?? "", scope);
  const file = inProject("dockerfile", context === "" ? dockerfile : `${context}/${dockerfile}`, scope);
  return { kind: "dockerfile", file, context, args: args ?? {}, ...defined({ target }) };
}

/** A path without `..`; one that leaves the project is reported. */
function inProject(key: "dockerfile" | "context", path: string, scope: DocumentScope): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) {
      scope.problem(
        [key],
        `"${path}" is outside of the project directory`,
        "Only what is committed below the project directory is built",
      );
      return "";
    }
  }
  return parts.join("/");
}
