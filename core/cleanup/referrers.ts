import { isObject } from "../../lib/guard.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";

/** A signature may be signed, an SBOM too; deeper it does not get. */
const DEPTH = 3;

/**
 * Manifests that the registry will remove along with these: signatures, SBOMs and what refers to them in turn. Those
 * they refer to come first.
 */
export async function referrersOf(
  repository: Repository,
  subjects: readonly Digest[],
  signal: AbortSignal,
): Promise<readonly RemoteManifest[]> {
  const found = new Map<Digest, RemoteManifest>();
  let level = subjects;
  for (let depth = 0; depth < DEPTH && level.length > 0; depth++) {
    const next: Digest[] = [];
    for (const subject of level) {
      for (const digest of await repository.referrers?.(subject, signal) ?? []) {
        const manifest = found.has(digest) ? undefined : await repository.manifest(digest, signal);
        if (!manifest) continue;
        found.set(digest, manifest);
        next.push(digest);
      }
    }
    level = next;
  }
  return [...found.values()];
}

/** What a manifest refers to (image-spec manifest.md, `subject`); undefined when it refers to nothing. */
export function subjectOf({ bytes }: Pick<RemoteManifest, "bytes">): Digest | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const digest = isObject(json) && isObject(json.subject) ? json.subject.digest : undefined;
    return typeof digest === "string" && isDigest(digest) ? digest : undefined;
  } catch {
    return undefined;
  }
}
