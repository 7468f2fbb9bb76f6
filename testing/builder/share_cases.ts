/** Layers that never come here: for builders that are elsewhere, with a registry. */
import assert from "node:assert/strict";
import {
  digestOf,
  type DockerfileResult,
  type DockerfileStep,
  type Layer,
  type LayerRef,
  signatureOf,
} from "../../core/contract/plugin.ts";
import { parseManifest } from "../../lib/oci/documents.ts";
import type { CaseContext, Cases } from "./cases.ts";
import { makeLayer } from "./layers.ts";
import { EPOCH } from "./stage_runner.ts";
import { shareImage } from "./test_share.ts";

const { signal } = new AbortController();

/** An image in the registry of a test; undefined when there is none. */
async function imageOf({ share, store, base }: CaseContext, more: readonly LayerRef[] = []) {
  if (!share) return undefined;
  const refs = [...base, ...more];
  const { manifest, ...shared } = await shareImage(share, refs, store);
  const layers = await Promise.all(refs.map(({ stored }) => stored));
  return { shared, pinned: { repository: share.repository.name, digest: manifest, layers }, layers };
}

async function contentOf({ config, layers }: DockerfileResult) {
  const blobs = await Promise.all(layers.map((layer) => "blob" in layer ? layer.blob : layer));
  return { config, diffIds: blobs.map(({ diffId }: Layer) => diffId) };
}

/** Of builders that can do so. */
export const shareCases: Cases = {
  "copies an image from one place to another as it is": async (context) => {
    const { builder } = context;
    const image = await imageOf(context, [
      await makeLayer(context.store, [{ path: "copied", content: "x" }]),
    ]);
    if (!image || !builder.copy) return;
    const { shared, pinned, layers } = image;
    const { repository, spareTag } = shared;
    const put = await builder.copy(pinned, shared, signal);
    assert.equal(await repository.head(spareTag, signal), put);
    const { bytes, mediaType } = (await repository.manifest(put, signal))!;
    const document = parseManifest(bytes, "the copy", mediaType);
    assert.ok(document.kind === "manifest");
    const digests = (all: readonly { readonly digest: string }[]) => all.map(({ digest }) => digest);
    assert.deepEqual(digests(document.manifest.layers), digests(layers));

    const nothing = { ...pinned, digest: await digestOf("nothing") };
    await assert.rejects(builder.copy(nothing, shared, signal), { code: "REGISTRY_FAILED" });
  },

  "looks into a layer where it is, and refuses one with other content": async (context) => {
    const { builder } = context;
    const content = "0123456789abcdef".repeat(1 << 12);
    const one = await makeLayer(context.store, [{
      path: "looked",
      content: `${content}${crypto.randomUUID()}`,
    }]);
    const image = await imageOf(context, [one]);
    if (!image || !builder.look) return;
    const layer = image.layers.at(-1)!;
    const index = await builder.look(layer, image.shared, signal);
    assert.deepEqual(index?.entries.map(({ path }) => path), ["looked"]);
    const wrong = { ...layer, diffId: await digestOf("wrong") };
    await assert.rejects(builder.look(wrong, image.shared, signal), { code: "LAYER_INVALID" });
  },

  "builds a Dockerfile between registries, to what it is without them": async (context) => {
    const { builder } = context;
    const image = await imageOf(context);
    if (!image || !builder.buildDockerfile) return;
    const { shared, pinned, layers } = image;
    const step: Omit<DockerfileStep, "bases"> = {
      label: "app/dockerfile",
      signature: await signatureOf(null, []),
      text: `FROM base AS one\nRUN echo ${crypto.randomUUID()} >/one && echo two >/two\n` +
        "FROM base\nENV ONE=1\nCOPY --from=one /two /made/\nRUN rm /etc/group && chmod 2750 /made\nUSER 5\n",
      file: "Dockerfile",
      args: {},
      proxies: {},
      context: [],
      secrets: [],
      ssh: [],
      contextId: await digestOf("no files"),
      cacheScope: "conformance",
      network: "host",
      epoch: EPOCH,
      compression: { kind: "gzip", level: 6 },
    };
    const base = { name: "base", image: { config: shared.config, layers } };
    const io = { signal, output() {} };
    const { repository, digest } = pinned;
    const there = await builder.buildDockerfile({
      ...step,
      bases: [{ ...base, at: { repository, digest } }],
      shared,
    }, io);
    for (const layer of there.layers) assert.ok("place" in layer && layer.place === repository);
    assert.equal(await shared.repository.head(shared.spareTag, signal), there.spare);
    assert.deepEqual(
      there.layers.slice(0, layers.length).map((layer) => "digest" in layer && layer.digest),
      layers.map((layer) => layer.digest),
    );
    const here = await builder.buildDockerfile({ ...step, bases: [base] }, io);
    assert.deepEqual(await contentOf(here), await contentOf(there));
  },
};
