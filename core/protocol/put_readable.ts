import { type BuiltDocument, documentOf } from "../../lib/oci/build.ts";
import { EngineError } from "../contract/errors.ts";
import { labels } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import type { Digest } from "../../lib/oci/digest.ts";

type Outgoing = Pick<BuiltDocument, "bytes" | "mediaType">;

/**
 * Stores a manifest that the repository may have had before, and makes sure that it can be read. docker-registry remembers
 * one whose file is gone from its disk: it says that it has stored it, and stores nothing. It gets one that says the same
 * and has another digest then.
 *
 * @returns the digest of what is there
 */
export async function putReadable(
  repository: Repository,
  manifest: Outgoing,
  { tag, signal }: { readonly tag: string; readonly signal: AbortSignal },
): Promise<Digest> {
  return await put(repository, manifest, tag, signal) ??
    await putExactly(repository, await again(manifest), { reference: tag, signal });
}

/** Stores a manifest under a tag or its digest, and makes sure that it can be read. */
export async function putExactly(
  repository: Repository,
  manifest: Outgoing,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<Digest> {
  const there = await put(repository, manifest, reference, signal);
  if (there !== undefined) return there;
  const why = "the registry says that it has done so, and does not give it";
  throw new EngineError("REGISTRY_FAILED", `Cannot store "${reference}" in ${repository.name}: ${why}`, {
    fix: "Restart the registry, which remembers what it has lost, and try again",
  });
}

async function put(
  repository: Repository,
  manifest: Outgoing,
  reference: string,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  await repository.putManifest(manifest, reference, signal);
  return await repository.head(reference, signal);
}

async function again({ bytes, mediaType }: Outgoing): Promise<Outgoing> {
  const document = JSON.parse(new TextDecoder().decode(bytes));
  const annotations = { ...document.annotations, [labels.again]: crypto.randomUUID() };
  return await documentOf(mediaType, { ...document, annotations });
}
