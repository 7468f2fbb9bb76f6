import { rejects, strictEqual } from "node:assert/strict";
import { digestFromHex, digestOf } from "../../../lib/oci/digest.ts";
import { findImage } from "../../../lib/oci/find_image.ts";
import { imageOf, parseConfig } from "../../../lib/oci/image.ts";
import { type Descriptor, type ImageManifest, mediaTypes as types } from "../../../lib/oci/types.ts";

/** Documents by digest, as a registry would have them. */
class Documents {
  readonly #all = new Map<string, Uint8Array>();
  readonly reader = {
    manifest: (d: Descriptor) => Promise.resolve(this.#all.get(d.digest)!),
    config: (d: Descriptor) => Promise.resolve(this.#all.get(d.digest)!),
  };

  async add(mediaType: string, value: unknown): Promise<Descriptor & { readonly bytes: Uint8Array }> {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const digest = await digestOf(bytes);
    this.#all.set(digest, bytes);
    return { mediaType, digest, size: bytes.length, bytes };
  }

  async image(architecture: string, extra: Record<string, unknown> = {}) {
    const config = await this.add(types.config, { os: "linux", architecture, rootfs: { diff_ids: [] } });
    const { bytes: _, ...descriptor } = config;
    return await this.manifest(descriptor, extra);
  }

  async manifest(config: Descriptor, extra: Record<string, unknown> = {}) {
    return await this.add(types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config,
      layers: [],
      ...extra,
    });
  }

  async index(
    entries: readonly (Descriptor & { readonly bytes: Uint8Array })[],
    mediaType: string = types.index,
  ) {
    const manifests = entries.map(({ bytes: _, ...entry }) => entry);
    return await this.add(mediaType, { schemaVersion: 2, mediaType, manifests });
  }
}

const linux = (architecture: string, variant?: string) => ({
  platform: { os: "linux", architecture, ...(variant && { variant }) },
});

Deno.test("findImage() chooses the platform", async (t) => {
  const docs = new Documents();
  const find = (
    root: Descriptor & { readonly bytes: Uint8Array },
    architecture = "amd64",
    variant?: string,
  ) => findImage(root, { ...linux(architecture, variant), title: "x", reader: docs.reader });
  const amd = await docs.image("amd64");
  const arm = await docs.image("arm");
  const arm6 = await docs.image("arm", { annotations: { v: "6" } });
  const notes = await docs.image("unknown");

  await t.step(
    "a plain manifest whose config fits",
    async () => strictEqual((await find(amd)).digest, amd.digest),
  );
  await t.step("a plain manifest for another platform is named", async () => {
    await rejects(find(amd, "arm64"), {
      kind: "invalid",
      message: /it has linux\/amd64, wanted is linux\/arm64/,
    });
  });
  await t.step("an index, past attestations", async () => {
    const index = await docs.index([
      { ...notes, platform: { os: "unknown", architecture: "unknown" } },
      { ...amd, annotations: { "vnd.docker.reference.type": "attestation-manifest" }, ...linux("amd64") },
      { ...arm, ...linux("arm", "v7") },
      { ...amd, ...linux("amd64") },
    ]);
    strictEqual((await find(index)).digest, amd.digest);
    await rejects(find(index, "s390x"), {
      message: /it has linux\/arm\/v7, linux\/amd64, wanted is linux\/s390x/,
    });
  });
  await t.step("the nearest variant, in a Docker manifest list", async () => {
    const list = await docs.index(
      [{ ...arm6, ...linux("arm", "v6") }, { ...arm, ...linux("arm", "v7") }],
      types.dockerList,
    );
    strictEqual((await find(list, "arm", "v7")).digest, arm.digest);
    strictEqual((await find(list, "arm", "v6")).digest, arm6.digest);
    await rejects(find(list, "arm", "v5"), { kind: "invalid" });
  });
  await t.step("nested indexes and entries without a platform", async () => {
    const index = await docs.index([arm, await docs.index([amd])]);
    strictEqual((await find(index)).digest, amd.digest);
  });
  await t.step("indexes that nest without end are refused", async () => {
    let root = await docs.index([amd]);
    for (let i = 0; i < 5; i++) root = await docs.index([root]);
    await rejects(find(root), { message: /nest deeper/ });
  });
});

Deno.test("findImage() says what is no image", async (t) => {
  const docs = new Documents();
  const { bytes: _, ...helm } = await docs.add("application/vnd.cncf.helm.config.v1+json", {});
  const cases: readonly (readonly [name: string, document: unknown, why: RegExp, type?: string])[] = [
    [
      "an artifact",
      { schemaVersion: 2, mediaType: types.manifest, config: helm, layers: [] },
      /artifact of type/,
    ],
    ["schema 1", { schemaVersion: 1, name: "x" }, /schema 1/],
    ["a foreign type", { schemaVersion: 2, mediaType: "text/x" }, /neither an image manifest nor/],
    ["a list", [], /not a JSON object/],
    [
      "another type than delivered",
      { schemaVersion: 2, mediaType: types.index },
      /was delivered as/,
      types.manifest,
    ],
    ["sha512", {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [{ mediaType: types.manifest, digest: "sha512:aa", size: 1 }],
    }, /only sha256/],
    ["a negative size", {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [{ ...helm, size: -1 }],
    }, /has size -1/],
  ];
  for (const [name, document, why, mediaType] of cases) {
    await t.step(name, async () => {
      const { bytes, digest } = await docs.add("", document);
      await rejects(
        findImage({ bytes, digest, mediaType }, { ...linux("amd64"), title: "x", reader: docs.reader }),
        { name: "OciError", kind: "invalid", message: why },
      );
    });
  }
});

Deno.test("imageOf() maps Docker layers and refuses what does not fit", async (t) => {
  const digest = digestFromHex("2".repeat(64));
  const config = (count: number) =>
    new TextEncoder().encode(JSON.stringify({
      os: "linux",
      architecture: "amd64",
      container: "old",
      history: null,
      config: { Cmd: null, Env: ["A=1"] },
      rootfs: { type: "layers", diff_ids: Array(count).fill(digest) },
    }));
  const manifest = (mediaType: string): ImageManifest => ({
    schemaVersion: 2,
    mediaType: types.dockerManifest,
    config: { mediaType: types.dockerConfig, digest, size: 1 },
    layers: [{ mediaType, digest, size: 5 }],
  });
  const options = { title: "x", ...linux("amd64") };
  await t.step("Docker types become OCI types, stale and null members go", () => {
    const image = imageOf(manifest(types.dockerLayerGzip), config(1), options);
    strictEqual(image.layers[0]?.mediaType, types.layerGzip);
    strictEqual(JSON.stringify(image.config.config), '{"Env":["A=1"]}');
    strictEqual("container" in image.config || "history" in image.config, false);
  });
  await t.step("counts must agree", async () => {
    await rejects(
      async () => await imageOf(manifest(types.layerTar), config(2), options),
      /2 layers, its manifest 1/,
    );
  });
  await t.step("unknown layer types", async () => {
    const type = "application/vnd.in-toto+json";
    await rejects(async () => await imageOf(manifest(type), config(1), options), /no file system layer/);
  });
  await t.step("configs without rootfs", async () => {
    await rejects(async () => await parseConfig(new TextEncoder().encode("{}"), "x"), /no "rootfs"/);
  });
});
