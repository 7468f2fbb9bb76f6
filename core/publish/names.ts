import { OciError } from "../../lib/oci/errors.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import { EngineError } from "../contract/errors.ts";
import { imageTitle } from "../sign/graph.ts";
import { REPOSITORY_TAG_PREFIX } from "../contract/labels.ts";

/** Where an image of a tag goes, below REPO. */
export interface ImageTarget {
  /** "" is REPO itself. */
  readonly repository: string;
  readonly tag: string;
}

export interface NamingOptions {
  readonly naming: "nested" | "flat";
  /** REPO:TAG whatever the dimg is called (`spush`). */
  readonly single: boolean;
}

/**
 * The name of a published image: `REPO/<dimg>:<tag>` (nested), `REPO:<dimg>-<tag>` (flat), `REPO:<tag>` for the nameless
 * dimg and with `single`.
 *
 * @throws TAG_INVALID when a dimg's name can be no part of a repository's; tags are checked by `checkConflicts`
 */
export function imageTarget(dimg: string, tag: string, { naming, single }: NamingOptions): ImageTarget {
  if (dimg === "" || single) return { repository: "", tag };
  if (naming === "flat") return { repository: "", tag: `${dimg}-${tag}` };
  if (isRepository(dimg)) return { repository: dimg, tag };
  throw new EngineError(
    "TAG_INVALID",
    `Cannot publish ${imageTitle("dimg", dimg)}: "${dimg}" cannot be part of a repository's name`,
    { fix: "Use --naming flat, or rename the dimg" },
  );
}

function isRepository(name: string): boolean {
  try {
    parseReference(`host.example/${name}:tag`);
    return true;
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}

/** In tags, where no "/" may be (names that plugins gave have some). No part of a repository's name has this. */
const SLASH = "._";

/** Tag in REPO that notes the repository of a dimg below it; no two names share one. */
export function repositoryMarker(dimg: string): string {
  return `${REPOSITORY_TAG_PREFIX}${dimg.replaceAll("/", SLASH)}`;
}

/** The dimg whose repository a mark notes, by its tag alone. */
export function nameOfMarker(tag: string): string {
  return tag.slice(REPOSITORY_TAG_PREFIX.length).replaceAll(SLASH, "/");
}
