/** What is asked of REPO for a stage, and when; a test whose order is another one would never end. */
import assert from "node:assert/strict";
import { use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { type TestProject, withProject } from "../support/project.ts";

const PATH = "group/app";
const dappfile = 'dimg: app\nfrom: scratch\nshell: { install: ["write a 1"], setup: ["write b 2"] }\n';

interface Published {
  readonly project: TestProject;
  readonly registry: MemoryRegistry;
  readonly repo: string;
  readonly log: FakeBuilderLog;
  /** The tag of the last stage, and the digests of what it is made of. */
  readonly tag: string;
  readonly config: string;
  readonly layers: readonly string[];
}

/** Stages in a registry, and a store that has none of them. */
async function withPublished(body: (published: Published) => Promise<void>): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/${PATH}`;
    const log = new FakeBuilderLog();
    let tag: string;
    {
      await using engine = project.engine({ plugins: [use(fakeBuilder(log))], repo });
      const { images } = await engine.build();
      tag = `dimgstage-${images[0]!.signature}`;
    }
    await Deno.remove(project.home, { recursive: true });
    registry.seen.splice(0);
    project.events.splice(0);
    const { config, layers = [] } = registry.documentOf(PATH, registry.tagsOf(PATH)[tag]!)!;
    assert.equal(layers.length, 2);
    await body({
      project,
      registry,
      repo,
      log,
      tag,
      config: config!.digest,
      layers: layers.map(({ digest }) => digest),
    });
  });
}

/** Answers to GET of a blob wait for something, after somebody was told of it. */
function hold(registry: MemoryRegistry, on: (digest: string) => Promise<void> | void): void {
  registry.fault(async (request, { pathname }) => {
    const digest = /\/blobs\/(sha256:\w+)$/.exec(pathname)?.[1];
    if (request.method === "GET" && digest) await on(digest);
    return undefined;
  }, Infinity);
}

Deno.test("stages pull asks for the stage, its configuration and its layers, once each", async () => {
  await withPublished(async ({ project, registry, repo, tag, config, layers }) => {
    await using engine = project.engine();
    const { stages } = await engine.pullStages([], { repo });
    assert.deepEqual(stages.map(({ state }) => state), ["pulled"]);
    const asked = registry.seen.map(({ method, path }) => `${method} ${path}`).filter((line) =>
      line.includes(PATH)
    );
    assert.deepEqual(
      asked.sort(),
      [`manifests/${tag}`, ...[config, ...layers].map((digest) => `blobs/${digest}`)]
        .map((path) => `GET /v2/${PATH}/${path}`).sort(),
    );
  });
});

Deno.test("layers of a stage come while its configuration is read", async () => {
  await withPublished(async ({ project, registry, repo, config, layers }) => {
    const asked = Promise.withResolvers<void>();
    hold(
      registry,
      (digest) => digest === config ? asked.promise : void (layers.includes(digest) && asked.resolve()),
    );
    await using engine = project.engine();
    const { stages } = await engine.pullStages([], { repo });
    assert.deepEqual(stages.map(({ state }) => state), ["pulled"]);
  });
});

Deno.test("layers of what turns out to be another stage are given up", async () => {
  await withPublished(async ({ project, registry, repo, tag, config, layers }) => {
    const manifests = `http://${registry.host}/v2/${PATH}/manifests`;
    const stages = Object.entries(registry.tagsOf(PATH)).filter(([name]) => name.startsWith("dimgstage-"));
    const stage = stages.map(([, digest]) => registry.documentOf(PATH, digest)!).find((document) =>
      document.layers?.length === 1
    )!;
    const headers = { "content-type": stage.mediaType! };
    const put = await fetch(`${manifests}/${tag}`, { method: "PUT", headers, body: JSON.stringify(stage) });
    await put.body?.cancel();
    assert.equal(put.status, 201);
    const other = stage.config!.digest;
    assert.notEqual(other, config);
    const asked = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    let times = 0;
    hold(registry, (digest) => {
      if (digest === other) return asked.promise;
      if (digest !== layers[0] || times++ > 0) return;
      asked.resolve();
      return over.promise;
    });
    try {
      await using engine = project.engine();
      const { stages } = await engine.pullStages([], { repo });
      assert.deepEqual(stages.map(({ state }) => state), ["pulled", "unusable"]);
      assert.equal(times, 2);
    } finally {
      over.resolve();
    }
  });
});

Deno.test("run unpacks a layer while another one comes", async () => {
  await withPublished(async ({ project, registry, repo, log, layers }) => {
    const unpacked = Promise.withResolvers<void>();
    hold(registry, (digest) => digest === layers[1] ? unpacked.promise : undefined);
    log.onPrefetch = async ([first]) => {
      assert.equal((await first!.stored).digest, layers[0]);
      unpacked.resolve();
    };
    await using engine = project.engine({ plugins: [use(fakeBuilder(log))], repo });
    assert.equal(await engine.run({ command: ["x"] }), 7);
  });
});

Deno.test("run tells its builder that layers may come before the stage is asked for, unless there is no REPO", async () => {
  await withPublished(async ({ project, registry, repo, log, tag }) => {
    const order: string[] = [];
    const told = Promise.withResolvers<void>();
    log.onExpected = () => {
      order.push("expected");
      told.resolve();
    };
    log.onPrefetch = (layers) => {
      order.push(`${layers.length} named`);
      return Promise.resolve();
    };
    const plugins = [use(fakeBuilder(log))];
    {
      await using engine = project.engine({ plugins });
      await assert.rejects(engine.run({ command: ["x"] }), { code: "NOT_BUILT" });
    }
    assert.deepEqual(order, []);
    registry.fault(async (_, { pathname }) => {
      if (pathname.endsWith(`/manifests/${tag}`)) await told.promise;
      return undefined;
    }, Infinity);
    await using engine = project.engine({ plugins, repo });
    assert.equal(await engine.run({ command: ["x"] }), 7);
    assert.deepEqual(order, ["expected", "2 named"]);
  });
});
