import { type BuiltDocument, manifestOf } from "../../lib/oci/build.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { labels, ociLabels, parseChain } from "../contract/labels.ts";
import { isSignature } from "../contract/signature.ts";
import type { Store } from "../contract/store.ts";
import { annotationsOf, withLabels } from "./image_document.ts";

/**
 * The configurations that a published manifest or index names, and the manifests below an index, as far as the store has
 * the stages: they are made again, byte by byte, of these and of what the annotations say.
 */
export async function documentsAgain(
  manifest: Uint8Array,
  { stages }: Pick<Store, "stages">,
): Promise<ReadonlyMap<Digest, BuiltDocument>> {
  const notes = annotationsOf(manifest);
  const facts = {
    project: notes[labels.project] ?? "",
    name: notes[labels.name] ?? "",
    tag: notes[ociLabels.version] ?? "",
    scheme: notes[labels.scheme] ?? "",
    value: notes[labels.value] ?? "",
    commit: notes[labels.commit],
    tree: notes[labels.tree],
    signature: notes[labels.signature] ?? "",
  };
  // An index has one chain for each platform.
  const chain = (parseChain(notes[labels.stages]) ?? []).filter(({ image }) => image === facts.name);
  const tops = new Set([facts.signature, ...chain.map(({ stages }) => stages.at(-1)?.signature ?? "")]);
  const out = new Map<Digest, BuiltDocument>();
  for (const signature of tops) {
    const record = isSignature(signature) ? await stages.record(signature) : undefined;
    if (!record) continue;
    const built = await manifestOf(withLabels(record.image, facts), notes);
    for (const document of [built.config, built.manifest]) out.set(document.digest, document);
  }
  return out;
}
