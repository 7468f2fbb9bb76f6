import { isObject } from "../../lib/guard.ts";
import { parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import type { Inventory, OtherTag } from "../contract/cleanup.ts";
import { labels, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import { Pool } from "../../lib/pool.ts";
import type { RegistryBackend } from "../contract/registry.ts";
import type { CleanupNeeds } from "./needs.ts";
import { cleanupGit } from "./git_facts.ts";

/** Labels of the old tool's stages (docker commit images). */
const CACHE_VERSION = "dapp-cache-version";
const COMMIT = /^dapp-git-.*-commit$/;

/**
 * Stages which the old tool pushed for this project, by reference, with the reason why they go: all of them, since their
 * signatures have another format, or those whose git commit no longer exists. They are told by the labels in their
 * configuration.
 */
export async function legacyStages(
  session: Pick<CleanupNeeds, "options" | "store">,
  backend: RegistryBackend,
  inventory: Inventory,
  which: "all" | "lost commits",
): Promise<ReadonlyMap<string, string>> {
  const { dir, env, signal } = session.options;
  const store = await session.store();
  const git = which === "all"
    ? undefined
    : await cleanupGit(dir, { scratch: () => store.blobs.scratch(), env, signal });
  const commits = await git?.commits();
  const pool = new Pool(8);
  const candidates = inventory.others.filter(({ repository, kind, tag, project }) =>
    repository === "" && kind === "foreign" && project === undefined && tag.startsWith(STAGE_TAG_PREFIX)
  );
  const found = new Map<string, string>();
  await Promise.all(candidates.map((tag) =>
    pool.run(async () => {
      const own = await labelsOf(backend, tag, signal);
      if (own[labels.project] !== inventory.project || own[CACHE_VERSION] === undefined) return;
      if (which === "all") {
        return void found.set(
          tag.reference,
          `the old tool made it, with cache version ${own[CACHE_VERSION]}`,
        );
      }
      const lost = Object.entries(own).find(([key, id]) => COMMIT.test(key) && commits && !commits.has(id));
      if (lost) {
        found.set(tag.reference, `the old tool made it from commit ${lost[1].slice(0, 12)}, which is gone`);
      }
    })
  ));
  return found;
}

async function labelsOf(
  backend: RegistryBackend,
  { repository, digest }: OtherTag,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const from = backend.repository(repository);
  const manifest = await from.manifest(digest, signal);
  if (!manifest) return {};
  try {
    const document = parseManifest(manifest.bytes, digest, manifest.mediaType);
    if (document.kind === "index") return {};
    const config: unknown = JSON.parse(
      new TextDecoder().decode(await from.blob(document.manifest.config, signal)),
    );
    const container = isObject(config) && isObject(config.config) ? config.config : {};
    const rows = Object.entries(isObject(container.Labels) ? container.Labels : {});
    return Object.fromEntries(rows.filter((row): row is [string, string] => typeof row[1] === "string"));
  } catch (error) {
    if (error instanceof OciError || error instanceof SyntaxError) return {};
    throw error;
  }
}
