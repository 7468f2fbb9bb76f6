import type { GitEntry, ImageRule } from "../contract/config.ts";

/** Where files of an image are in git, by where listings say that they are. */
export type GitPlace = Pick<GitEntry, "remote" | "add" | "to">;

/** The git entries of an image; the context of a Dockerfile is one, whose listing begins at its top. */
export function gitPlaces({ git, base }: ImageRule): readonly GitPlace[] {
  return base.kind === "dockerfile" ? [...git, { add: `/${base.context}`, to: "/" }] : git;
}
