/** Layers that nothing needs here stay in REPO. */
import assert from "node:assert/strict";
import type { ImageConfig } from "../../lib/oci/types.ts";
import { type EngineEvent, use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const base = {
  layers: [[
    { path: "etc/", type: "dir" as const },
    { path: "etc/passwd", text: "root:x:0:0:::\nweb:x:33:34:::\n" },
    { path: "etc/group", text: "root:x:0:\nstaff:x:50:\n" },
    { path: "srv/", type: "dir" as const, mode: 1777, uid: 7 },
    { path: "data", link: "srv" },
    { path: "lib", link: "usr/lib" },
    { path: "usr/", type: "dir" as const },
    { path: "usr/lib/", type: "dir" as const, mode: 711, gid: 9 },
  ]],
};

const dappfile = `
artifact: tool
from: oci:../base:latest
shell: { buildArtifact: [write tools/one 1], buildArtifactCacheVersion: 1, install: [write big/file 2] }
---
dimg: web
from: oci:../base:latest
git:
  - { add: /src, to: /lib/app, owner: web, group: staff, stageDependencies: { setup: [make] } }
  - { add: /src, to: /data/deep/er }
import: [{ artifact: tool, add: /tools, to: /data/tools, after: setup }]
shell: { install: [write installed 3], setup: [write made 4] }
docker: { CMD: [app] }
`;

interface Machines {
  readonly a: TestProject;
  readonly b: TestProject;
  readonly registry: MemoryRegistry;
  readonly repo: string;
  /** Builds and publishes with REPO; gives the digest of the image. */
  bp(project: TestProject, options?: { readonly withStages?: boolean }): Promise<string>;
  /** Layers that were downloaded since the last question, by what is in them. */
  downloads(): string[];
}

/** Two machines; the first has published stages and image of the first commit, the other has the second and no store. */
async function withMachines(body: (machines: Machines) => Promise<void>, text = dappfile): Promise<void> {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    await Deno.mkdir(`${root}/a`);
    const a = openProject(`${root}/a`, `${root}/home-a`);
    await a.git("init", "-q", "-b", "main");
    await a.write({ "dappfile.yaml": text, "src/one": "1\n", "src/make": "m\n" });
    await a.commit("first");
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/app`;
    const bp: Machines["bp"] = async (project, options = {}) => {
      await using engine = open(project, options.withStages ? undefined : repo);
      await engine.push([], { build: true, repo, ...options });
      return ready(project.events);
    };
    await bp(a);
    await a.git("clone", "-q", a.dir, `${root}/b`);
    const b = openProject(`${root}/b`, `${root}/home-b`);
    await b.write({ "src/one": "changed\n" });
    await b.commit();
    registry.seen.splice(0);
    const downloads = () =>
      registry.seen.splice(0).filter(({ range }) => !isEnd(range)).flatMap(({ method, path }) => {
        const digest = /\/blobs\/(sha256:\w+)$/.exec(path)?.[1];
        const bytes = method === "GET" && digest ? registry.blobOf("group/app", digest) : undefined;
        return bytes && bytes[0] !== 0x7b ? [digest!] : []; // configurations begin with a brace
      });
    await body({ a, b, registry, repo, bp, downloads });
  });
}

/** Whether it asks for the last byte alone, by which blobs are looked up. */
function isEnd(range: string | undefined): boolean {
  return /^bytes=(\d+)-\1$/.test(range ?? "");
}

function open(
  project: TestProject,
  repo?: string,
  log = new FakeBuilderLog(),
  onEvent?: (event: EngineEvent) => void,
) {
  const plugins = [use(fakeBuilder(log))];
  return project.engine({
    ...{ platform: "linux/amd64", builder: "fake", plugins },
    ...(repo && { repo }),
    ...(onEvent && { onEvent }),
  });
}

function ready(events: readonly EngineEvent[]): string {
  return events.flatMap((event) => event.type === "image.ready" ? [event.digest] : []).at(-1)!;
}

const left = ({ events }: TestProject) =>
  events.flatMap((event) => event.type === "stage.fetched" ? [event.left] : []);

/** The image as a machine builds it that brings all layers. */
async function wanted({ b, repo }: Machines): Promise<string> {
  const c = openProject(b.dir, `${b.home}-whole`);
  await using reading = c.engine({
    ...{ platform: "linux/amd64", builder: "fake", plugins: [use(fakeBuilder(new FakeBuilderLog()))] },
    ...{ repo, repoReadOnly: true },
  });
  await reading.build();
  assert.deepEqual(left(c), Array(left(c).length).fill(undefined));
  return ready(c.events);
}

/**
 * The first machine publishes the second commit, whose stages nobody finds who looks for the first time, by HEAD or GET.
 *
 * @returns digest of the image, signatures of the new stages
 */
async function publishUnseen({ a, b, registry, bp }: Machines) {
  await a.git("pull", "-q", b.dir, "main");
  a.events.splice(0);
  const digest = await bp(a);
  const news = a.events.flatMap((e) => e.type === "stage.finished" ? [e.signature] : []);
  const looks = new Set(news.flatMap((signature) => [`HEAD ${signature}`, `GET ${signature}`]));
  registry.fault(({ method }, { pathname }) => {
    const isNew = looks.delete(`${method} ${pathname.slice(-64)}`);
    return isNew ? new Response(null, { status: 404 }) : undefined;
  }, Infinity);
  return { digest, news };
}

Deno.test("bp with REPO brings no layer to put files of git on them", async () => {
  await withMachines(async (machines) => {
    const { b, registry, bp, downloads } = machines;
    const digest = await wanted(machines);
    assert.ok(downloads().length > 0);
    assert.equal(await bp(b), digest);
    const stages = registry.seen.filter(({ method, path }) => method === "GET" && path.includes("dimgstage"));
    assert.ok(stages.length <= 8, `${stages.length} stages were read`);
    assert.deepEqual(downloads(), []);
    assert.ok(left(b).some((bytes) => bytes! > 0));
    assert.deepEqual(
      b.events.flatMap((e) => e.type === "stage.reused" ? [`${e.at.stage} ${e.reason}`] : []),
      [`import:after-setup in ${registry.host}/group/app`],
    );

    // No change: one look-up. Another commit: what was told of layers is remembered.
    await bp(b);
    await b.write({ "src/one": "again\n" });
    await b.commit();
    registry.seen.splice(0);
    await bp(b);
    const read = registry.seen.filter(({ method, path, range }) =>
      method === "GET" && path.includes("/blobs/") && !isEnd(range)
    );
    assert.deepEqual(read, []);
  });
});

Deno.test("an image whose layers stayed in REPO is exported, published elsewhere and pulled", async () => {
  await withMachines(async ({ b, registry, repo, bp, downloads }) => {
    await bp(b);
    assert.deepEqual(downloads(), []);
    await using engine = open(b);
    await engine.push([], { repo: `${registry.host}/group/other`, tags: [{ flag: "tag", value: "v1" }] });
    assert.deepEqual(downloads(), []);
    assert.ok(registry.tagsOf("group/other/web").v1);
    await engine.export(["web"], `oci:${b.dir}/../out`);
    assert.ok(downloads().length > 0);
    await engine.pullStages([], { repo });
    await using again = open(b);
    assert.equal((await again.build()).stagesBuilt, 0);
  });
});

Deno.test("a shell in a stage whose layers stayed in REPO brings them", async () => {
  await withMachines(async ({ b, repo, downloads }) => {
    const log = new FakeBuilderLog();
    await using engine = open(b, repo, log);
    await engine.push([], { build: true, introspect: { stage: "import:after-setup" } });
    assert.deepEqual(downloads(), []);
    const [shell, another] = log.shells;
    assert.equal(another, undefined);
    const layers = await Promise.all(shell!.parents.map(({ stored }) => stored));
    assert.deepEqual(new Set(downloads()), new Set(layers.map(({ digest }) => digest)));
  });
});

Deno.test("plan says of stages whose layers stayed in REPO why they are built without it", async () => {
  await withMachines(async ({ b, registry, bp }) => {
    await bp(b);
    const reasons = async () => {
      await using engine = open(b);
      const { images } = await engine.plan();
      return new Map(images.at(-1)!.stages.map(({ stage, reason }) => [stage, reason]));
    };
    const left = `layers of it were left in ${registry.host}/group/app`;
    assert.equal((await reasons()).get("gitArchive"), left);
    {
      await using engine = open(b);
      await engine.build();
    }
    assert.equal((await reasons()).get("docker"), "in the store");
    await Deno.remove(`${b.home}/blobs`, { recursive: true });
    // What the build made anew is told as what never was elsewhere; it reuses a stage upon that if the layers are there in time.
    const gone = "layers of it are gone from the store";
    assert.equal((await reasons()).get("import:after-setup"), gone);
    assert.equal((await reasons()).get("setup"), gone);
    await Deno.remove(`${b.home}/stages`, { recursive: true });
    assert.equal((await reasons()).get("setup"), "it was built before, and is not in this store");
  });
});

Deno.test("bp --with-stages says of stages whose layers stayed in REPO that they are there", async () => {
  await withMachines(async ({ b, repo, downloads }) => {
    await using engine = open(b);
    const { stages } = await engine.push([], { build: true, repo, withStages: true });
    assert.deepEqual(downloads(), []);
    const states = stages.flatMap(({ stage, state }) => state === "not built" ? [] : [`${stage} ${state}`]);
    assert.deepEqual(states, ["import:after-setup exists", "gitArchive pushed", "docker pushed"]);
  });
});

Deno.test("an import brings the layers alone that have its files", async () => {
  await withMachines(async (machines) => {
    const { b, registry, bp, downloads } = machines;
    await b.write({ "dappfile.yaml": dappfile.replace("to: /data/tools", "to: /data/others") });
    await b.commit();
    const digest = await wanted(machines);
    const all = downloads();
    assert.equal(await bp(b), digest);
    const brought = downloads();
    assert.equal(brought.length, 1);
    assert.ok(all.length > 1);
    const text = new TextDecoder().decode(
      await new Response(
        new Blob([registry.blobOf("group/app", brought[0]!)! as BlobPart]).stream()
          .pipeThrough(new DecompressionStream("gzip")),
      ).arrayBuffer(),
    );
    assert.match(text, /tools\/one/);
  });
});

Deno.test("layers that commands run upon are brought, before they run", async () => {
  await withMachines(async (machines) => {
    const { b, bp, downloads } = machines;
    await b.write({ "src/make": "changed\n" });
    await b.commit();
    const digest = await wanted(machines);
    const all = downloads();
    assert.equal(await bp(b), digest);
    const brought = downloads();
    assert.equal(brought.length, all.length - 1); // all but what the import does not take files from
    assert.ok(brought.every((layer) => all.includes(layer)));
    const fetched = b.events.flatMap((e) => e.type === "stage.fetched" ? [[e.at.image, e.left]] : []);
    assert.deepEqual(fetched.filter(([image]) => image === "web"), [["web", undefined]]);
  });
});

Deno.test("a stage that others published meanwhile is used with what stayed in REPO", async () => {
  await withMachines(async (machines) => {
    const { b, bp } = machines;
    const { digest } = await publishUnseen(machines);
    assert.equal(await bp(b), digest);
    assert.equal(b.events.filter((e) => e.type === "stage.finished").length, 2);
    assert.equal(b.events.filter((e) => e.type === "stage.published").length, 0);
  });
});

Deno.test("a builder is not let go of while it stores what another's stage stands on", async () => {
  const text = (version: number) => `
dimg: web
from: oci:../base:latest
shell: { install: [write installed ${version}], setup: [write made 4] }
`;
  await withMachines(async (machines) => {
    const { b, repo } = machines;
    await b.write({ "dappfile.yaml": text(2) });
    await b.commit();
    await publishUnseen(machines);
    const log = new FakeBuilderLog();
    const stored = Promise.withResolvers<void>();
    log.storing = stored.promise;
    const ends: string[] = [];
    await using engine = open(b, repo, log, async (event) => {
      if (
        event.type === "stage.finished" || event.type === "stage.failed" || event.type === "stage.fetched"
      ) {
        ends.push(`${event.at.stage} ${event.type}`);
      }
      if (ends.at(-1) !== "setup stage.fetched") return;
      for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
      stored.resolve();
    });
    await engine.build();
    assert.deepEqual(ends, ["from stage.fetched", "setup stage.fetched", "install stage.finished"]);
  }, text(1));
});

Deno.test("what is no manifest in the place of a stage is published over", async () => {
  await withMachines(async (machines) => {
    const { b, registry, bp } = machines;
    const { digest, news } = await publishUnseen(machines);
    const junk = { mediaType: "application/vnd.oci.image.manifest.v1+json", layers: [] };
    const tags = news.map((signature) => `dimgstage-${signature}`);
    for (const tag of tags) await registry.addManifest("group/app", junk, tag);
    assert.equal(await bp(b), digest);
    for (const tag of tags) {
      assert.ok(registry.documentOf("group/app", registry.tagsOf("group/app")[tag]!)?.config);
    }
  });
});

Deno.test("what REPO tells of layers is not believed where it cannot be so: they are brought", async (t) => {
  const packed = async (text: string) => {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer()).toBase64();
  };
  const empty = { format: 1, opaque: [], whiteouts: [], rows: [], texts: {} };
  const cases: readonly (readonly [string, (text: string) => Promise<unknown> | undefined])[] = [
    ["nothing, as older releases publish", () => undefined],
    ["a number", () => Promise.resolve(1)],
    ["no base64", () => Promise.resolve("*")],
    ["what does not unpack", () => Promise.resolve("AAAA")],
    ["half of it", (text) => Promise.resolve(text.slice(0, text.length / 2 & ~3))],
    ["another format", () => packed(JSON.stringify({ ...empty, format: 2 }))],
    [
      "an attribute that no tar can hold",
      () =>
        packed(
          JSON.stringify({ ...empty, rows: [["usr", "dir", 493, 0, 0, { xattrs: { "user.\0": "" } }]] }),
        ),
    ],
    ["a path below nothing", () => packed(JSON.stringify({ ...empty, rows: [["a/b", "file", 0, 0, 0]] }))],
  ];
  for (const [name, told] of cases) {
    await t.step(name, () =>
      withMachines(async (machines) => {
        const { b, registry, bp, downloads } = machines;
        await retell(registry, told);
        const digest = await wanted(machines);
        downloads();
        assert.equal(await bp(b), digest);
        assert.ok(downloads().length > 0);
        assert.deepEqual(b.events.filter((e) => e.type === "note" && e.level === "warn"), []);
      }));
  }
});

Deno.test("stages whose layers have gone from REPO are built again", async (t) => {
  for (const told of [true, false]) {
    await t.step(
      told ? "and others told what was in them" : "and nobody told what was in them",
      () =>
        withMachines(async (machines) => {
          const { b, registry, bp } = machines;
          const digest = await wanted(machines);
          if (!told) await retell(registry, () => undefined);
          const path = "group/app";
          for (const each of registry.manifestsOf(path)) {
            const [lowest] = registry.documentOf(path, each)?.layers ?? [];
            if (!lowest) continue;
            registry.dropBlob(path, lowest.digest);
            registry.dropBlob(`${path}/web`, lowest.digest);
          }
          assert.equal(await bp(b), digest);
          const built = b.events.flatMap((e) => e.type === "stage.finished" ? [e.at.stage] : []);
          assert.ok(built.includes("from"), built.join());
        }),
    );
  }
});

interface StageConfig extends ImageConfig {
  dapp: { layers?: Record<string, unknown> };
}

/** Puts something else in the place of what stages tell of their layers. */
async function retell(registry: MemoryRegistry, told: (text: string) => Promise<unknown> | undefined) {
  const path = "group/app";
  for (const [tag, digest] of Object.entries(registry.tagsOf(path))) {
    if (!tag.startsWith("dimgstage-")) continue;
    const manifest = registry.documentOf(path, digest)!;
    const bytes = registry.blobOf(path, manifest.config!.digest)!;
    const config: StageConfig = JSON.parse(new TextDecoder().decode(bytes));
    const layers: Record<string, unknown> = {};
    for (const [diffId, text] of Object.entries(config.dapp.layers ?? {})) {
      const other = await told(String(text));
      if (other !== undefined) layers[diffId] = other;
    }
    config.dapp.layers = layers;
    const blob = await registry.addBlob(path, new TextEncoder().encode(JSON.stringify(config)));
    const changed = { ...manifest, mediaType: manifest.mediaType!, config: { ...manifest.config!, ...blob } };
    await registry.addManifest(path, changed, tag);
  }
}

Deno.test("a build that is stopped before its stages are published leaves records that say where the layers are", async () => {
  await withMachines(async ({ b, bp, registry, repo }) => {
    registry.fault(
      (request, url) =>
        request.method === "PUT" && url.pathname.includes("/group/app/manifests/dimgstage-")
          ? new Response(null, { status: 403 })
          : undefined,
      Infinity,
    );
    await assert.rejects(bp(b));
    assert.ok(left(b).some((bytes) => bytes !== undefined && bytes > 0));
    await using engine = open(b, repo);
    assert.deepEqual((await engine.checkStore()).problems, []);
  });
});
