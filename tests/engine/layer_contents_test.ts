import { deepStrictEqual, match, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { LayerContents } from "../../core/layers/contents.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import type { StageRecord } from "../../plugin.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { gzipLayer, type MadeLayer, sha256, writeImage } from "../support/made_image.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyLayout } from "../support/verify_registry.ts";

const { signal } = new AbortController();

function tarOf(files: Readonly<Record<string, string>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([path, text]) => {
    const bytes = new TextEncoder().encode(text);
    const entry = { path, type: "file", mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtime: 0 } as const;
    return [encodeTarHeader(entry), bytes, tarPadding(bytes.length)];
  });
  return new Uint8Array(Buffer.concat([...parts, TAR_TRAILER]));
}

const tar = tarOf({
  "etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
  "data": "d".repeat(9000),
});
const other = tarOf({ data: "other" });
const diffId = sha256(tar);

/** Blobs that say they hold `tar`, and do not. */
const liars: Readonly<Record<string, MadeLayer>> = {
  "another layer": { blob: gzipSync(other), diffId },
  "another layer, plain": { blob: other, diffId },
  "another layer, zstd": {
    blob: new Uint8Array(zstdCompressSync(other)),
    diffId,
    mediaType: mediaTypes.layerZstd,
  },
  "a cut stream": { blob: gzipSync(tar).subarray(0, -20), diffId },
  "a wrong checksum": {
    blob: new Uint8Array([...gzipSync(tar).subarray(0, -8), 0, 0, 0, 0, 0, 0, 0, 0]),
    diffId,
  },
  "garbage behind": { blob: new Uint8Array([...gzipSync(tar), 1, 2, 3, 4]), diffId },
  "one more byte inside": { blob: gzipSync(new Uint8Array([...tar, 0])), diffId },
  "nothing": { blob: new Uint8Array(0), diffId },
  "itself, compressed twice": { blob: gzipSync(gzipSync(tar)), diffId },
};

const dappfiles: Readonly<Record<string, string>> = {
  "configuration only": "docker: { CMD: [x] }",
  "git files": "git: [{ add: /src, to: /app, owner: web }]",
  "commands": 'shell: { install: ["write made text"] }',
};

const dappfile = (image: string, rest: string) => `dimg: app\nfrom: oci:../${image}:latest\n${rest}\n`;

async function builds(project: TestProject, log = new FakeBuilderLog()): Promise<void> {
  await using engine = project.engine({ plugins: [{ plugin: fakeBuilder(log) }], network: "none" });
  await engine.build();
}

Deno.test("an image upon an image whose base is not what it says is not saved either", async () => {
  const large = "d".repeat(20_000_000); // so that looking into it takes longer than saving what stands on it
  const wanted = tarOf({ "etc/passwd": "root:x:0:0::/:/bin/sh\n", "data": large });
  const blob = gzipSync(tarOf({ data: `other${large}` }), { level: 1 });
  const text = "dimg: a\nfrom: oci:../bad:latest\n---\ndimg: b\nfromDimg: a\ndocker: { CMD: [x] }\n";
  await withProject({ "dappfile.yaml": text }, async (project) => {
    await writeImage(`${project.dir}/../bad`, { layers: [{ blob, diffId: sha256(wanted) }] });
    for (const names of [[], ["b"], []]) {
      await using engine = project.engine();
      await rejects(engine.build(names), { code: "LAYER_INVALID" });
    }
  });
});

for (const [what, rest] of Object.entries(dappfiles)) {
  Deno.test(`a base layer is not taken for another of its diffID by an image of ${what}`, async (t) => {
    for (const [title, layer] of Object.entries(liars)) {
      await t.step(title, async () => {
        await withProject({ "src/a": "a\n", "dappfile.yaml": dappfile("good", rest) }, async (project) => {
          await writeImage(`${project.dir}/../good`, { layers: [gzipLayer(tar)] });
          await builds(project);
          await writeImage(`${project.dir}/../bad`, { layers: [layer] });
          await project.write({ "dappfile.yaml": dappfile("bad", rest) });
          await project.commit();
          await rejects(builds(project), (error: Error & { code?: string }) => {
            strictEqual(error.code, "LAYER_INVALID", error.message);
            match(error.message, /oci:\.\.\/bad:latest|app\/gitArchive/);
            ok(error.message.includes(sha256(layer.blob)), error.message);
            return true;
          });
          // Nor is it the next time.
          await rejects(builds(project), { code: "LAYER_INVALID" });
        });
      });
    }
  });
}

Deno.test("a base layer whose type is not that of its content is published under its own", async (t) => {
  const { layerTar, layerGzip, layerZstd } = mediaTypes;
  const gzip = new Uint8Array(gzipSync(tar));
  const zstd = new Uint8Array(zstdCompressSync(tar));
  const cases: readonly (readonly [blob: Uint8Array, said: string, is: string])[] = [
    [zstd, layerGzip, layerZstd],
    [tar, layerGzip, layerTar],
    [gzip, layerTar, layerGzip],
    [zstd, layerTar, layerZstd],
    [gzip, layerZstd, layerGzip],
    [tar, layerZstd, layerTar],
    [gzip, layerGzip, layerGzip],
  ];
  for (const [blob, mediaType, is] of cases) {
    await t.step(`${mediaType} that is ${is}`, async () => {
      await withProject(
        { "src/a": "a\n", "dappfile.yaml": dappfile("odd", dappfiles["git files"]!) },
        async (project) => {
          await writeImage(`${project.dir}/../odd`, { layers: [{ blob, diffId, mediaType }] });
          const repo = `oci:${project.dir}/../out`;
          await using engine = project.engine();
          await engine.push([], {
            repo,
            build: true,
            withStages: true,
            tags: [{ flag: "tag", value: "v1" }],
          });
          const tags = await verifyLayout(`${project.dir}/../out`);
          ok(Object.keys(tags).length > 2);
          for (const digest of new Set(Object.values(tags))) {
            const { layers } = JSON.parse(
              await Deno.readTextFile(`${project.dir}/../out/blobs/${digest.replace(":", "/")}`),
            );
            for (const layer of layers) {
              if (layer.digest === sha256(blob)) strictEqual(layer.mediaType, is);
            }
          }
          const other = openProject(project.dir, `${project.home}-other`);
          await using puller = other.engine({ repo });
          strictEqual((await puller.build()).stagesBuilt, 0);
        },
      );
    });
  }
});

Deno.test("LayerContents reads a blob once, and tells a damaged store from a wrong image", async () => {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(dir);
    const { digest } = await store.blobs.put(gzipSync(tar));
    const layer = { digest, diffId };
    const sound = new LayerContents(store);
    await Promise.all([1, 2, 3].map(() => sound.require([layer, layer], "image", signal)));
    await Deno.writeFile(store.blobs.path(digest), new Uint8Array(9));
    await new LayerContents(store).require([layer], "image", signal); // what was found is remembered
    const unread = await store.blobs.put(gzipSync(other));
    await Deno.truncate(store.blobs.path(unread.digest), 30);
    const claim = { digest: unread.digest, diffId: sha256(other) };
    const damaged = { code: "STORE_CORRUPT", message: /layer sha256:.* of "image"/ };
    await rejects(new LayerContents(store).require([claim], "image", signal), damaged);
    await Deno.remove(store.blobs.path(unread.digest));
    await rejects(new LayerContents(store).require([claim], "image", signal), damaged);
  });
});

for (const pulled of [false, true]) {
  const how = pulled ? ", when it was pulled as it is" : "";
  Deno.test(`a stage of REPO whose layer has other content than it says is not used${how}`, async () => {
    await lyingStage(pulled);
  });
}

async function lyingStage(pulled: boolean): Promise<void> {
  const base = { layers: [gzipLayer(tarOf({ "etc/base": "base" }))] };
  const yaml = dappfile("base", 'shell: { install: ["write made text"], setup: ["write more text"] }');
  await withProject({ "dappfile.yaml": yaml }, async (project) => {
    await writeImage(`${project.dir}/../base`, base);
    const log = new FakeBuilderLog();
    const plugins = [{ plugin: fakeBuilder(log) }];
    const repo = `oci:${project.dir}/../repo`;
    let first;
    {
      await using engine = project.engine({ plugins, network: "none", repo });
      first = await engine.build();
    }
    // The blob of the last layer is replaced, and the manifest and its tag follow.
    const dir = `${project.dir}/../repo`;
    const read = async (digest: string) =>
      JSON.parse(await Deno.readTextFile(`${dir}/blobs/sha256/${digest.slice(7)}`));
    const put = async (bytes: Uint8Array) => {
      const digest = sha256(bytes);
      await Deno.writeFile(`${dir}/blobs/sha256/${digest.slice(7)}`, bytes);
      return { digest, size: bytes.length };
    };
    const index = JSON.parse(await Deno.readTextFile(`${dir}/index.json`));
    for (const entry of index.manifests) {
      const manifest = await read(entry.digest);
      if (manifest.layers.length < 2) continue;
      Object.assign(manifest.layers.at(-1), await put(gzipSync(other)));
      Object.assign(entry, await put(new TextEncoder().encode(JSON.stringify(manifest))));
    }
    await Deno.writeTextFile(`${dir}/index.json`, JSON.stringify(index));
    await Deno.remove(project.home, { recursive: true });
    project.events.length = 0;
    if (pulled) {
      await using engine = project.engine({ plugins, network: "none" });
      const { stages } = await engine.pullStages([], { repo });
      deepStrictEqual(stages.map(({ state }) => state), ["pulled"]);
    }
    const more = pulled ? {} : { repo, repoReadOnly: true };
    await using engine = project.engine({ plugins, network: "none", ...more });
    // Whatever uses it looks first: what sends it on, and what runs it.
    if (pulled) await rejects(engine.export([], `oci:${project.dir}/../out`), { code: "NOT_BUILT" });
    else await rejects(engine.run({ command: ["true"] }), { code: "LAYER_INVALID" });
    const second = await engine.build();
    ok(second.stagesBuilt > 0);
    deepStrictEqual(second.images.map((i) => i.digest), first.images.map((i) => i.digest));
    const notes = project.events.flatMap((e) => e.type === "note" && e.level === "warn" ? [e.text] : []);
    ok(notes.some((text) => /is not used: .*its content is/.test(text)), notes.join("\n"));
  });
}

/** What is on the disk of what was written, but not flushed, when a machine fails. */
const losses: Readonly<Record<string, (home: string, blobs: readonly string[]) => Promise<void>>> = {
  "its layers are empty": async (_, blobs) => {
    for (const path of blobs) await Deno.truncate(path);
  },
  "its record is empty": async (home) => {
    for await (const { name } of Deno.readDir(`${home}/stages`)) {
      await Deno.truncate(`${home}/stages/${name}`);
    }
  },
  "its layers are gone": async (_, blobs) => {
    for (const path of blobs) await Deno.remove(path);
  },
};

Deno.test("a stage that was pulled is pulled again after the machine failed", async (t) => {
  const yaml = dappfile("base", 'shell: { install: ["write made text"] }');
  for (const [what, lose] of Object.entries(losses)) {
    await t.step(what, async () => {
      await withProject({ "dappfile.yaml": yaml }, async (project) => {
        await writeImage(`${project.dir}/../base`, { layers: [gzipLayer(tar)] });
        const plugins = [{ plugin: fakeBuilder(new FakeBuilderLog()) }];
        const repo = `oci:${project.dir}/../repo`;
        {
          await using engine = project.engine({ plugins, network: "none", repo });
          await engine.build();
        }
        await Deno.remove(project.home, { recursive: true });
        const pull = async () => {
          await using engine = project.engine({ plugins, network: "none" });
          const { stages } = await engine.pullStages([], { repo });
          deepStrictEqual(stages.map(({ state }) => state), ["pulled"]);
        };
        await pull();
        const { layers } = await onlyRecord(project.home);
        await lose(
          project.home,
          layers.map(({ digest }) => `${project.home}/blobs/sha256/${digest.slice(7)}`),
        );
        await pull();
        await using engine = project.engine({ plugins, network: "none" });
        strictEqual((await engine.build()).stagesBuilt, 0);
      });
    });
  }
});

Deno.test("a stage that was pulled again is looked into, whatever is remembered of its layers", async () => {
  const yaml = 'dimg: app\nfrom: scratch\nshell: { install: ["write made text"] }\n';
  await withProject({ "dappfile.yaml": yaml }, async (project) => {
    const plugins = [{ plugin: fakeBuilder(new FakeBuilderLog()) }];
    const repo = `oci:${project.dir}/../repo`;
    {
      await using engine = project.engine({ plugins, network: "none", repo });
      await engine.build();
    }
    await Deno.remove(project.home, { recursive: true });
    {
      await using engine = project.engine({ plugins, network: "none" });
      await engine.pullStages([], { repo });
    }
    const { layers } = await onlyRecord(project.home);
    {
      await using store = await LocalStore.open(project.home);
      await new LayerContents(store).require(layers, "what was here before", signal);
    }
    // As it may be where a file has its size before its content, and the machine fails between the two.
    for (const { digest } of layers) {
      const path = `${project.home}/blobs/sha256/${digest.slice(7)}`;
      await Deno.writeFile(path, new Uint8Array((await Deno.stat(path)).size));
    }
    const notes: string[] = [];
    await using engine = project.engine({
      plugins,
      network: "none",
      onEvent: (event) => void (event.type === "note" && notes.push(event.text)),
    });
    await engine.build();
    ok(notes.some((text) => /is not used: .*has other content$/.test(text)), notes.join("\n"));
    for (const { digest } of layers) {
      strictEqual(sha256(await Deno.readFile(`${project.home}/blobs/sha256/${digest.slice(7)}`)), digest);
    }
  });
});

Deno.test("what is found in a damaged file is not remembered of its blob", async () => {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(dir);
    const { digest } = await store.blobs.put(tar);
    const path = store.blobs.path(digest);
    await Deno.writeFile(path, new Uint8Array(tar.length));
    const contents = new LayerContents(store);
    await rejects(contents.require([{ digest, diffId }], "it", signal), {
      code: "STORE_CORRUPT",
      message: `Cannot use layer ${digest} of "it": its file "${path}" has other content`,
    });
    await Deno.writeFile(path, tar);
    await contents.require([{ digest, diffId }], "it", signal);
  });
});

/** The image of the one stage in a store. */
async function onlyRecord(
  home: string,
): Promise<{ readonly layers: StageRecord["image"]["layers"] }> {
  const names = await Array.fromAsync(Deno.readDir(`${home}/stages`), ({ name }) => name);
  strictEqual(names.length, 1);
  return JSON.parse(await Deno.readTextFile(`${home}/stages/${names[0]}`)).image;
}

Deno.test("an import from a layer that was damaged in the store fails instead of copying the damage", async () => {
  const yaml = `artifact: made
from: oci:../base:latest
---
dimg: app
from: scratch
import: [{ artifact: made, add: /big, to: /big, after: setup }]
`;
  const content = new Uint8Array(40_000);
  for (let i = 0; i < content.length; i++) content[i] = i * 7 + (i >> 8);
  const plain = tarOf({ big: String.fromCharCode(...content.map((byte) => 32 + byte % 90)) });
  await withProject({ "dappfile.yaml": yaml }, async (project) => {
    await writeImage(`${project.dir}/../base`, { layers: [{ blob: plain, diffId: sha256(plain) }] });
    {
      await using engine = project.engine();
      await engine.build();
    }
    // A plain tar has no checksum of its own over contents.
    const path = `${project.home}/blobs/sha256/${sha256(plain).slice(7)}`;
    const bytes = await Deno.readFile(path);
    notStrictEqual(bytes[20_000], 0);
    bytes[20_000] = 0x21 ^ bytes[20_000]!;
    await Deno.writeFile(path, bytes);
    await project.write({ "dappfile.yaml": yaml.replace("to: /big", "to: /other") });
    await project.commit();
    await using engine = project.engine();
    await rejects(engine.build(), { code: "LAYER_INVALID", message: /its content is/ });
  });
});
