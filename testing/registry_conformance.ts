/** What every registry backend must do, whatever it keeps images in. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { RegistryBackend, Repository, TransferIo } from "../core/contract/plugin.ts";
import { mediaTypes } from "../lib/oci/types.ts";
import { digestOf } from "../lib/oci/digest.ts";
import { withTempDir } from "./temp_dir.ts";

/** A backend over an empty REPO of its own; disposing of it stops everything behind it. */
export interface RegistrySubject extends AsyncDisposable {
  /** What is tested. */
  readonly backend: RegistryBackend;
}

const { signal } = new AbortController();
const io: TransferIo = { signal, report() {} };
const encoder = new TextEncoder();

/** Bytes that no other call gives. */
function uniqueBytes(size = 64): Uint8Array {
  const seed = crypto.getRandomValues(new Uint8Array(64));
  return new Uint8Array(size).map((_, at) => seed[at % 64]! ^ (at >> 6));
}

async function blobOf(bytes: Uint8Array) {
  return { digest: await digestOf(bytes), size: bytes.length, source: { bytes } };
}

/** Stores an image of one layer; without `reference` its blobs only. */
export async function storeImage(repository: Repository, reference?: string, layer = uniqueBytes()) {
  const config = encoder.encode(
    JSON.stringify({ architecture: "amd64", os: "linux", note: crypto.randomUUID() }),
  );
  const blobs = [await blobOf(config), await blobOf(layer)] as const;
  for (const blob of blobs) await repository.upload(blob, io);
  const [{ source: _, ...configBlob }, { source: __, ...layerBlob }] = blobs;
  const bytes = encoder.encode(JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...configBlob },
    layers: [{ mediaType: mediaTypes.layerTar, ...layerBlob }],
  }));
  const manifest = { bytes, mediaType: mediaTypes.manifest };
  if (reference !== undefined) await repository.putManifest(manifest, reference, signal);
  return { ...manifest, digest: await digestOf(bytes), layer: blobs[1] };
}

async function tagsOf(repository: Repository): Promise<string[]> {
  const tags = await Array.fromAsync(repository.tags(signal));
  return tags.map(({ tag }) => tag).sort();
}

/**
 * Registers a test with a step for each rule of a registry backend: blobs and manifests come back as they were, nothing
 * is stored that is not what its digest says, tags move, removing one leaves others alone. `make` gives undefined when a
 * backend cannot be had on this machine.
 */
export function registryConformance(name: string, make: () => Promise<RegistrySubject | undefined>): void {
  Deno.test(`${name}: conformance of a registry backend`, async (t) => {
    const subject = await make();
    if (!subject) return;
    await using _ = subject;
    const { backend } = subject;
    const repository = backend.repository("");

    await t.step("what is not there is undefined, and lists are empty", async () => {
      strictEqual(await repository.head("absent", signal), undefined);
      strictEqual(await repository.manifest("absent", signal), undefined);
      strictEqual(await repository.head(await digestOf(uniqueBytes()), signal), undefined);
      deepStrictEqual(await tagsOf(repository), []);
      const removal = { tag: "absent", digest: await digestOf(uniqueBytes()), alone: true };
      if (backend.capabilities.deletion !== "none") {
        deepStrictEqual(await repository.remove(removal, signal), { outcome: "absent" });
      }
    });

    await t.step("a blob comes back as it was, in memory and as a file", async () => {
      await withTempDir(async (dir) => {
        const bytes = uniqueBytes(300_000);
        await Deno.writeFile(`${dir}/blob`, bytes);
        const blob = { ...await blobOf(bytes), source: { file: `${dir}/blob` } };
        const told: number[] = [];
        const first = await repository.upload(blob, { signal, report: (done) => void told.push(done) });
        strictEqual(first, "uploaded");
        strictEqual(told.at(-1), bytes.length);
        strictEqual(await repository.upload(blob, io), "present");
        deepStrictEqual(await repository.blob(blob, signal), bytes);
        await repository.download(blob, `${dir}/copy`, io);
        deepStrictEqual(await Deno.readFile(`${dir}/copy`), bytes);
      });
    });

    await t.step("a blob is sent again when it is said to be lost", async () => {
      const bytes = uniqueBytes(5000);
      const blob = await blobOf(bytes);
      await repository.upload(blob, io);
      strictEqual(await repository.upload({ ...blob, anew: true }, io), "uploaded");
      deepStrictEqual(await repository.blob(blob, signal), bytes);
    });

    await t.step("a blob is looked at, where that is possible", async () => {
      const blob = await blobOf(uniqueBytes(5000));
      for (const whole of [false, true]) {
        const state = async (wanted: typeof blob) => await repository.probe?.(wanted, { whole }, io);
        ok([undefined, "absent"].includes(await state(blob)));
        const stored = await blobOf(uniqueBytes(5000));
        await repository.upload(stored, io);
        ok([undefined, "there"].includes(await state(stored)));
      }
    });

    await t.step("an empty blob is a blob", async () => {
      const blob = await blobOf(new Uint8Array());
      await repository.upload(blob, io);
      deepStrictEqual(await repository.blob(blob, signal), new Uint8Array());
    });

    await t.step("content that is not what its digest says is not stored", async () => {
      await withTempDir(async (dir) => {
        const bytes = uniqueBytes(5000);
        const blob = await blobOf(bytes);
        await Deno.writeFile(`${dir}/blob`, uniqueBytes(5000));
        await rejects(repository.upload({ ...blob, source: { file: `${dir}/blob` } }, io), {
          name: "EngineError",
        });
        await rejects(repository.upload({ ...blob, source: { bytes: uniqueBytes(5000) } }, io), {
          name: "EngineError",
        });
        await rejects(repository.blob(blob, signal), { name: "EngineError" });
      });
    });

    await t.step("the same blob sent from several places at once is stored once", async () => {
      const blob = await blobOf(uniqueBytes(20_000));
      const outcomes = await Promise.all([1, 2, 3].map(() => repository.upload(blob, io)));
      deepStrictEqual(outcomes.toSorted(), ["present", "present", "uploaded"]);
    });

    await t.step("a manifest comes back byte for byte, by tag and by digest", async () => {
      const image = await storeImage(repository, "v1");
      strictEqual(await repository.head("v1", signal), image.digest);
      strictEqual(await repository.head(image.digest, signal), image.digest);
      const { layer: _, ...wanted } = image;
      deepStrictEqual(await repository.manifest("v1", signal), wanted);
      deepStrictEqual(await repository.manifest(image.digest, signal), wanted);
      ok((await tagsOf(repository)).includes("v1"));
    });

    await t.step("a manifest under its digest has no tag", async () => {
      const before = await tagsOf(repository);
      const image = await storeImage(repository);
      await repository.putManifest(image, image.digest, signal);
      strictEqual(await repository.head(image.digest, signal), image.digest);
      deepStrictEqual(await tagsOf(repository), before);
    });

    await t.step("a tag can be moved, and storing again changes nothing", async () => {
      const first = await storeImage(repository, "moving");
      const second = await storeImage(repository, "moving");
      await repository.putManifest(second, "moving", signal);
      strictEqual(await repository.head("moving", signal), second.digest);
      strictEqual(await repository.head(first.digest, signal), first.digest);
    });

    await t.step("an index may name what is there", async () => {
      const child = await storeImage(repository);
      await repository.putManifest(child, child.digest, signal);
      const { digest, mediaType } = child;
      const bytes = encoder.encode(JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: [{ mediaType, digest, size: child.bytes.length }],
      }));
      await repository.putManifest({ bytes, mediaType: mediaTypes.index }, "index", signal);
      strictEqual((await repository.manifest("index", signal))?.mediaType, mediaTypes.index);
    });

    await t.step("a manifest whose blobs are missing gets no tag", async () => {
      const bytes = encoder.encode(JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: await digestOf(uniqueBytes()), size: 64 },
        layers: [],
      }));
      const put = repository.putManifest({ bytes, mediaType: mediaTypes.manifest }, "half", signal);
      await rejects(put, { name: "EngineError" });
      strictEqual(await repository.head("half", signal), undefined);
    });

    await t.step("repositories below are separate, where there are any", async () => {
      if (!backend.capabilities.nested) {
        await rejects(async () => await backend.repository("app").head("v1", signal), {
          code: "REGISTRY_UNSUPPORTED",
        });
        return;
      }
      const below = backend.repository("app");
      ok(below.name.startsWith(repository.name) && below.name !== repository.name);
      const image = await storeImage(repository, "only-above");
      strictEqual(await below.head("only-above", signal), undefined);
      const outcome = await below.upload(
        { ...image.layer, from: ["elsewhere.invalid/x", repository.name] },
        io,
      );
      ok(outcome === "mounted" || outcome === "uploaded" || outcome === "present");
      deepStrictEqual(await below.blob(image.layer, signal), image.layer.source.bytes);
      await storeImage(below, "only-below");
      deepStrictEqual(await tagsOf(below), ["only-below"]);
    });

    await t.step("a source that does not exist does not fail the upload", async () => {
      const blob = await blobOf(uniqueBytes());
      const from = [`${repository.name}/no/such`, "elsewhere.invalid/x"];
      strictEqual(await repository.upload({ ...blob, from }, io), "uploaded");
    });

    await t.step("what is stopped ends with the reason", async () => {
      const stop = new AbortController();
      const reason = new Error("stopped");
      stop.abort(reason);
      const blob = await blobOf(uniqueBytes(1000));
      await rejects(repository.upload(blob, { signal: stop.signal, report() {} }), reason);
      await rejects(repository.head("v1", stop.signal), reason);
      await rejects(repository.manifest("v1", stop.signal), reason);
      await rejects(repository.blob(blob, stop.signal), reason);
      await rejects(Array.fromAsync(repository.tags(stop.signal)), reason);
    });

    await t.step("removing", async (t) => await checkRemoval(t, backend));
  });
}

async function checkRemoval(t: Deno.TestContext, backend: RegistryBackend): Promise<void> {
  const repository = backend.repository("");
  const shared = await storeImage(repository, "keep");
  for (const tag of ["go-1", "go-2"]) await repository.putManifest(shared, tag, signal);
  const { digest } = shared;

  if (backend.capabilities.deletion === "none") {
    const removal = { tag: "go-1", digest, alone: false };
    await rejects(repository.remove(removal, signal), { code: "REGISTRY_UNSUPPORTED" });
    strictEqual(await repository.head("go-1", signal), digest);
    return;
  }
  await t.step("a tag leaves others of the same manifest alone", async () => {
    for (const tag of ["go-1", "go-2"]) {
      const done = await repository.remove({ tag, digest, alone: false }, signal);
      ok(done.outcome !== "absent", `${tag} is there, and remove() says that it is absent`);
      if (done.outcome === "removed") strictEqual(await repository.head(tag, signal), undefined);
      strictEqual(await repository.head("keep", signal), digest);
    }
    deepStrictEqual(await repository.blob(shared.layer, signal), shared.layer.source.bytes);
  });
  await t.step("a tag that is alone goes", async () => {
    const image = await storeImage(repository, "alone");
    const done = await repository.remove({ tag: "alone", digest: image.digest, alone: true }, signal);
    strictEqual(done.outcome, "removed");
    strictEqual(await repository.head("alone", signal), undefined);
    ok(!(await tagsOf(repository)).includes("alone"));
    strictEqual(await repository.head("keep", signal), digest);
  });
  await t.step("what is gone is absent", async () => {
    const done = await repository.remove({ tag: "alone", digest, alone: false }, signal);
    deepStrictEqual(done, { outcome: "absent" });
    strictEqual(await repository.head("keep", signal), digest);
  });
  await t.step("many at once", async () => {
    const tags = Array.from({ length: 6 }, (_, at) => `many-${at}`);
    const images = await Promise.all(tags.map((tag) => storeImage(repository, tag)));
    const outcomes = await Promise.all(
      tags.map((tag, at) => repository.remove({ tag, digest: images[at]!.digest, alone: true }, signal)),
    );
    ok(outcomes.every(({ outcome }) => outcome === "removed"));
    deepStrictEqual((await tagsOf(repository)).filter((tag) => tag.startsWith("many-")), []);
  });
}
