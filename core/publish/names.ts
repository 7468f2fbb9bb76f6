import { OciError } from "../../lib/oci/errors.ts";
import { isTag, parseReference } from "../../lib/oci/reference.ts";
import { EngineError } from "../errors.ts";
import { imageTitle } from "../graph.ts";
import { SERVICE_TAG_PREFIX, STAGE_TAG_PREFIX } from "../labels.ts";

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
 * @throws TAG_INVALID when the result is no name that a registry takes
 */
export function imageTarget(dimg: string, tag: string, { naming, single }: NamingOptions): ImageTarget {
  const own = dimg === "" || single;
  const target = own
    ? { repository: "", tag }
    : naming === "nested"
    ? { repository: dimg, tag }
    : { repository: "", tag: `${dimg}-${tag}` };
  const fail = (why: string, fix?: string) =>
    new EngineError("TAG_INVALID", `Cannot publish ${imageTitle("dimg", dimg)} as "${tag}": ${why}`, {
      ...(fix && { fix }),
    });
  if (!isTag(target.tag)) {
    throw fail(
      `"${target.tag}" is no tag, allowed are 1 to 128 letters, digits, "_", "." and "-", not starting with "." or "-"`,
    );
  }
  for (const prefix of [STAGE_TAG_PREFIX, SERVICE_TAG_PREFIX]) {
    if (target.tag.startsWith(prefix)) throw fail(`tags that start with "${prefix}" are dapp's own`);
  }
  if (target.repository !== "" && !isRepository(target.repository)) {
    throw fail(`"${dimg}" cannot be part of a repository's name`, "Use --naming flat, or rename the dimg");
  }
  return target;
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

/** Tag in REPO that notes a repository below it, so that cleanup finds images of dimgs that no longer exist. */
export function repositoryMarker(dimg: string): string {
  return `${SERVICE_TAG_PREFIX}dimg-${dimg.replaceAll("/", "__")}`;
}
