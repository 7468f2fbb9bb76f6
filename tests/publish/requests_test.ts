import assert from "node:assert/strict";
import { definePlugin, type Engine, use } from "../../mod.ts";
import { emptyImage } from "../../lib/oci/empty_image.ts";
import { busyboxBase } from "../support/bases.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { withProject } from "../support/project.ts";
import { openOci } from "../support/registry_request.ts";
import { until } from "../support/until.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";

const dappfile = (base: string) => `
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["echo installed >/installed"], setup: ["cat /app/* >/all"] }
---
dimg: other
fromDimg: app
docker: { ENV: { A: b } }
`;

const unchanged = { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n" };

Deno.test("build --repo without a change costs one HEAD for each dimg, and nothing on these paths lists tags", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/app`;
    const build = async () => {
      registry.seen.splice(0);
      await using engine = project.engine({ repo });
      const result = await engine.build();
      return { ...result, seen: registry.seen.map(({ method, path }) => `${method} ${path}`) };
    };
    const first = await build();
    assert.ok(first.stagesBuilt > 0);
    const tags = Object.keys(registry.tagsOf("group/app"));
    const unchanged = await build();
    assert.equal(unchanged.stagesBuilt, 0);
    assert.deepEqual(
      unchanged.seen.sort(),
      [...new Set(first.images.map(({ signature }) => `HEAD /v2/group/app/manifests/dimgstage-${signature}`))]
        .sort(),
    );

    await project.write({ "src/a": "changed\n" });
    await project.commit();
    const changed = await build();
    assert.ok(changed.stagesBuilt > 0);
    assert.ok(Object.keys(registry.tagsOf("group/app")).length > tags.length);

    await using engine = project.engine();
    for (const times of [1, 2]) {
      registry.seen.splice(0);
      const { images } = await engine.push([], { repo, tags: [{ flag: "tag-branch" }] });
      const states = images.flatMap((image) => image.tags.map(({ state }) => state));
      assert.deepEqual(states, Array(3).fill(times === 1 ? "pushed" : "exists"));
      if (times === 2) {
        assert.deepEqual(
          registry.seen.map(({ method, path }) => `${method} ${path}`).sort(),
          ["app", "other", "web"].map((name) => `HEAD /v2/group/app/${name}/manifests/main`),
        );
      }
    }
    assert.equal(registry.count("/tags/list"), 0);
    assert.equal(registry.openUploads, 0);
  });
});

Deno.test("a stage is asked for again when its turn comes, and taken then; one that does not wait is not", async () => {
  const names = ["one", "two"] as const;
  const dimg = (name: string) =>
    `dimg: ${name}\nfrom: scratch\nshell: { install: ["meet ${name}", "write file ${name}"] }\n`;
  await withProject({ "dappfile.yaml": "dimg: base\nfrom: scratch\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/shop`;
    {
      await using engine = project.engine({ repo });
      await engine.build();
    }
    await project.write({ "dappfile.yaml": names.map(dimg).join("---\n") });
    await project.commit();
    const log = new FakeBuilderLog();
    await using engine = project.engine({ plugins: [use(fakeBuilder(log))], repo, parallel: 1 });
    const building = engine.build([], { stages: true });
    const begun = await Promise.race(names.map(async (name) => {
      await log.arrived(name);
      return name;
    }));
    const waiting = names.find((name) => name !== begun)!;
    await until(() => project.events.some((e) => e.type === "stage.waiting" && e.at.image === waiting));

    const others = new FakeBuilderLog();
    others.open(waiting);
    await using other = project.engine({
      plugins: [use(fakeBuilder(others))],
      repo,
      home: `${project.home}-of-others`,
    });
    await other.build([waiting]);
    const before = registry.seen.splice(0);
    for (const name of names) log.open(name);
    const { stages } = await building;

    const install = (image: string) => stages.find((row) => row.image === image && row.stage === "install")!;
    assert.deepEqual(
      names.map((name) => [name, install(name).state]).sort(),
      [
        [begun, "built"],
        [waiting, "fetched"],
      ].sort(),
    );
    assert.equal(log.ran.length, 1);
    const head = `HEAD /v2/shop/manifests/dimgstage-${install(begun).signature}`;
    assert.equal(before.filter(({ method, path }) => `${method} ${path}` === head).length, 1);
    // Asked for when its turn came, and before it was published.
    for (const name of names) assert.equal(registry.count(install(name).signature, "HEAD"), 1);
  });
});

Deno.test("push mounts what the stages have brought to the registry instead of sending it again", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/app`;
    await using engine = project.engine();
    await engine.build();
    const { bytes, stages } = await engine.push([], { repo, withStages: true });
    assert.ok(stages.every(({ state }) => state === "pushed"));
    assert.ok(bytes.mounted > bytes.uploaded, JSON.stringify(bytes));
  });
});

Deno.test("what two repositories of REPO hold is sent once, whichever comes first", async () => {
  const ofMarks: readonly string[] = (await emptyImage({})).blobs.map(({ digest }) => digest);
  for (const first of ["images", "stages"] as const) {
    await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
      await using registry = new MemoryRegistry();
      const repo = `${registry.host}/group/app`;
      {
        await using engine = project.engine();
        await engine.build();
      }
      /** Layers that were sent: configs differ from one repository to the next, and marks are a few bytes. */
      const sent = async (what: "images" | "stages") => {
        registry.seen.splice(0);
        await using engine = project.engine({ repo });
        if (what === "images") await engine.push([], { repo, tags: [{ flag: "tag-branch" }] });
        else await engine.pushStages([], { repo });
        const requests = registry.seen.map(({ method, path }) => `${method} ${path}`);
        return {
          asked: requests.filter((line) => /^POST .*\?mount=/.test(line)).length,
          puts: requests.filter((line) => /^PUT .*\/blobs\/uploads\//.test(line)).flatMap((line) =>
            /digest=sha256(?:%3A|:)([0-9a-f]{64})/.exec(line)?.[1] ?? []
          ).filter((hex) => !ofMarks.includes(`sha256:${hex}`)),
        };
      };
      const one = await sent(first);
      assert.equal(new Set(one.puts).size, one.puts.length, `${first}: a blob was sent twice`);
      const other = await sent(first === "images" ? "stages" : "images");
      assert.deepEqual(other.puts.filter((digest) => one.puts.includes(digest)), [], first);
      assert.ok(other.asked > 0);
      assert.equal(registry.openUploads, 0);
      // Nothing is asked for that is known.
      assert.deepEqual(await sent(first), { asked: 0, puts: [] });
    });
  }
});

Deno.test("push asks nothing of layers that stand under the tag, and sends them when they are gone all the same", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/app`;
    const push = async () => {
      await using engine = project.engine();
      await engine.build();
      registry.seen.splice(0);
      const { images } = await engine.push(["app"], { repo });
      const { state, digest } = images[0]!.tags[0]!;
      assert.equal(state, "pushed");
      const { layers: rows = [] } = registry.documentOf("group/app/app", digest!)!;
      const layers = rows.map(({ digest }) => digest);
      for (const layer of layers) assert.ok(registry.blobOf("group/app/app", layer), layer);
      const asked = registry.seen.filter(({ path }) => path.includes("/blobs/")).map(({ path }) => path);
      return { layers, asked: layers.filter((layer) => asked.some((path) => path.includes(layer))) };
    };
    const first = await push();
    for (const lost of [false, true]) {
      await project.write({ "src/a": `changed, ${lost}\n` });
      await project.commit();
      if (lost) registry.dropBlob("group/app/app", first.layers[0]!);
      const { layers, asked } = await push();
      assert.equal(layers[0], first.layers[0]);
      assert.equal(asked.includes(layers[0]!), lost);
    }
  });
});

Deno.test("push sends what a registry said it had taken over, and has not", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    let lies = 0;
    registry.fault((request, url) => {
      const digest = url.searchParams.get("mount");
      if (request.method !== "POST" || digest === null) return undefined;
      lies++;
      const location = url.pathname.replace(/uploads\/$/, digest);
      return new Response(null, { status: 201, headers: { location } });
    }, Infinity);
    await using engine = project.engine();
    await engine.build();
    const { images } = await engine.push(["app"], { repo: `${registry.host}/group/app` });
    const { state, digest } = images[0]!.tags[0]!;
    assert.equal(state, "pushed");
    assert.ok(lies > 0);
    for (const { digest: layer } of registry.documentOf("group/app/app", digest!)?.layers ?? []) {
      assert.ok(registry.blobOf("group/app/app", layer), layer);
    }
  });
});

Deno.test("push is all or nothing for a dimg: no tag is visible when the registry fails in between", async () => {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/app`;
    await using engine = project.engine();
    await engine.build();
    let uploads = 0;
    registry.fault((request) => {
      if (request.method !== "PUT" || !request.url.includes("/blobs/uploads/")) return undefined;
      return ++uploads > 2 ? new Response(null, { status: 403 }) : undefined;
    }, Infinity);
    await assert.rejects(engine.push(["app"], { repo }), { code: "REGISTRY_DENIED" });
    assert.deepEqual(registry.tagsOf("group/app/app"), {});
  });
});

Deno.test("bp sends the layers that are there while the next stage is built", async () => {
  const stages = (setup: string) => `
dimg: app
from: scratch
shell: { install: ["write a 1"]${setup} }
`;
  await withProject({ "dappfile.yaml": stages("") }, async (project) => {
    await using registry = new MemoryRegistry();
    const log = new FakeBuilderLog();
    const plugins = [use(fakeBuilder(log))];
    {
      await using engine = project.engine({ plugins });
      await engine.build();
    }
    await project.write({ "dappfile.yaml": stages(', setup: ["meet gate", "write b 2"]') });
    registry.fault((request) => {
      // The command waits for this: without it the test would never end.
      if (request.method === "PUT" && request.url.includes("/blobs/uploads/")) log.open("gate");
      return undefined;
    }, Infinity);
    await using engine = project.engine({ plugins });
    const { images } = await engine.push([], { repo: `${registry.host}/group/app`, build: true });
    assert.equal(images[0]?.tags[0]?.state, "pushed");
    assert.equal(registry.openUploads, 0);
  });
});

Deno.test("bp asks what stands under its tags before a build that builds nothing has ended, and after any other", async () => {
  await withProject(unchanged, async (project) => {
    await using registry = new MemoryRegistry();
    /** Whether the build had ended, for each question. */
    const asked: boolean[] = [];
    const watched = definePlugin({
      name: "registry-watched",
      api: 1,
      setup: () => ({
        openRegistry: async (request, { emit }) => {
          const backend = await openOci(request, emit);
          return backend && {
            ...backend,
            repository(name) {
              const repository = backend.repository(name);
              const ask = () => {
                if (name === "app") asked.push(project.events.some(({ type }) => type === "build.finished"));
              };
              const watch: Pick<typeof repository, "head" | "manifest"> = {
                head: (reference, signal) => (ask(), repository.head(reference, signal)),
                manifest: (reference, signal) => (ask(), repository.manifest(reference, signal)),
              };
              return new Proxy(repository, {
                get(_, key) {
                  const value = Reflect.get(key in watch ? watch : repository, key);
                  return typeof value === "function" ? value.bind(repository) : value;
                },
              });
            },
          };
        },
      }),
    });
    await using engine = project.engine({ plugins: [use(watched)] });
    const bp = async (engine: Engine) => {
      project.events.splice(0);
      asked.splice(0);
      const { images } = await engine.push([], { repo: `${registry.host}/group`, build: true });
      return [images.flatMap(({ tags }) => tags.map(({ state }) => state)), asked];
    };
    assert.deepEqual(await bp(engine), [["pushed"], [true]]);
    assert.deepEqual(await bp(engine), [["exists"], [false]]);
    await using dry = project.engine({ plugins: [use(watched)], dryRun: true });
    assert.deepEqual(await bp(dry), [["would push"], []]);
  });
});

Deno.test("bp publishes again what is gone when plugins have been told of a build that builds nothing", async () => {
  await withProject(unchanged, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group`;
    const cleanup = definePlugin({
      name: "test-cleanup",
      api: 1,
      setup: () => ({
        built: async () => {
          const { latest } = registry.tagsOf("group/app");
          if (latest) {
            await fetch(`http://${registry.host}/v2/group/app/manifests/${latest}`, { method: "DELETE" });
          }
        },
      }),
    });
    await using engine = project.engine({ plugins: [use(cleanup)] });
    for (const _ of [1, 2]) {
      const { images } = await engine.push([], { repo, build: true });
      assert.deepEqual(images.flatMap(({ tags }) => tags.map(({ state }) => state)), ["pushed"]);
      assert.ok(registry.tagsOf("group/app").latest);
    }
  });
});
