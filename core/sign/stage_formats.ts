import type { StageSpec } from "./graph.ts";
import type { Fact } from "../contract/signature.ts";

/**
 * What stages of each kind contain, as a version. Raise one when stages of that kind come to hold something else for
 * the same facts: what an older release built is then not reused, and `explain` says why.
 *
 * git: 2: what an earlier commit brought is taken away where it really is, and what it covered comes back.
 * All others: 1.
 */
const STAGE_FORMATS: Readonly<Record<StageSpec["work"]["kind"], number>> = {
  from: 1,
  dockerfile: 1,
  git: 2,
  import: 1,
  run: 1,
  docker: 1,
};

/** Key of the fact; `explain` knows it. */
export const FORMAT_KEY = "format";

/** What git stages contain: layers that were made for another version are not taken for them. */
export const GIT_FORMAT = STAGE_FORMATS.git;

/** The fact that every stage carries: its kind with the version of what such stages contain. */
export function formatFact({ kind }: StageSpec["work"]): Fact {
  return { key: FORMAT_KEY, value: `${kind} ${STAGE_FORMATS[kind]}` };
}
