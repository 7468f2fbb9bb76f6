import assert from "node:assert/strict";
import type { RegistryWait } from "../../lib/registry/patience.ts";
import { EngineError, type EngineOptions } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { quickRegistry } from "../support/quick_registry.ts";
import { cutResponse, failure, type Fault, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const dappfile = (base: string) => `
project: faults
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["echo installed >/installed"], setup: ["cat /app/* >/all"] }
`;

async function withBuilt(body: (project: TestProject) => Promise<void>): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, async (project) => {
    await using engine = project.engine();
    await engine.build();
    await body(project);
  });
}

/** An engine whose waits take no time. */
function quickEngine(project: TestProject, options: EngineOptions = {}, waits: RegistryWait[] = []) {
  return project.engine({ plugins: [{ plugin: quickRegistry(waits) }], ...options });
}

const push = { tags: [{ flag: "tag", value: "v1" }], withStages: true };
const PATH = "group/app";

const isUpload: Fault = (request, url) =>
  request.method === "PUT" && url.pathname.includes("/blobs/uploads/") ? new Response(null) : undefined;

/** Reads what is sent, so that the connection stays usable, and answers. */
function onUpload(answer: () => Response): Fault {
  return async (request, url) => {
    if (!isUpload(request, url)) return undefined;
    await request.arrayBuffer();
    return answer();
  };
}

interface PushCase {
  readonly what: string;
  readonly fault: (registry: MemoryRegistry) => void;
  /** Absent when push gets over it. */
  readonly error?: { readonly code: string; readonly message: RegExp };
  /** Milliseconds that the registry asked to wait. */
  readonly waits?: readonly number[];
}

const pushCases: readonly PushCase[] = [
  { what: "a burst of 500", fault: (r) => r.fault(onUpload(() => failure(500, "UNKNOWN")), 4) },
  {
    what: "500 without end",
    fault: (r) => r.fault(onUpload(() => failure(500, "UNKNOWN")), Infinity),
    error: { code: "REGISTRY_FAILED", message: /500/ },
  },
  {
    what: "500 for manifests without end",
    fault: (r) =>
      r.fault(
        (q) => q.method === "PUT" && q.url.includes("/manifests/") ? failure(500, "UNKNOWN") : undefined,
        Infinity,
      ),
    error: { code: "REGISTRY_FAILED", message: /500/ },
  },
  {
    what: "429 that asks for 300 seconds",
    fault: (r) => r.fault(onUpload(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "300" }))),
    waits: [300_000],
  },
  {
    what: "429 that asks for two hours",
    fault: (r) =>
      r.fault(onUpload(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "7200" })), Infinity),
    error: { code: "REGISTRY_FAILED", message: /429/ },
  },
  {
    what: "tokens that expire in the middle, again and again",
    fault: (r) => {
      r.auth = { kind: "bearer" };
      let requests = 0;
      r.fault((_, url) => {
        if (url.pathname !== "/token" && ++requests % 40 === 0) r.expireTokens();
        return undefined;
      });
    },
  },
  {
    what: "no right to push",
    fault: (r) => r.auth = { kind: "bearer", withheld: ["push"] },
    error: { code: "REGISTRY_DENIED", message: /push|denied|401|403/i },
  },
  {
    what: "blobs that arrive wrong",
    fault: (r) => r.fault(onUpload(() => failure(400, "DIGEST_INVALID"))),
  },
  {
    what: "blobs that always arrive wrong",
    fault: (r) => r.fault(onUpload(() => failure(400, "DIGEST_INVALID")), Infinity),
    error: { code: "REGISTRY_FAILED", message: /DIGEST_INVALID/ },
  },
  {
    what: "a manifest that names blobs which are gone",
    fault: (r) =>
      r.fault((q) =>
        q.method === "PUT" && q.url.includes("/manifests/")
          ? failure(404, "MANIFEST_BLOB_UNKNOWN")
          : undefined
      ),
  },
];

Deno.test("push gets over what passes, and otherwise fails with one error and without a tag; then it works", async (t) => {
  await withBuilt(async (project) => {
    for (const { what, fault, error, waits: wanted } of pushCases) {
      await t.step(what, async () => {
        await using registry = new MemoryRegistry();
        const repo = `${registry.host}/${PATH}`;
        fault(registry);
        const waits: RegistryWait[] = [];
        await using engine = quickEngine(project, {}, waits);
        const done = engine.push([], { ...push, repo });
        if (error) {
          await assert.rejects(done, (thrown) => isPlain(thrown, error.code, error.message));
          const images = { ...registry.tagsOf(`${PATH}/app`), ...registry.tagsOf(PATH) };
          assert.deepEqual(Object.keys(images).filter((tag) => !tag.startsWith("dappservice-")), []);
          await using again = quickEngine(project);
          await using healthy = new MemoryRegistry();
          const { images: pushed } = await again.push([], { ...push, repo: `${healthy.host}/${PATH}` });
          assert.equal(pushed[0]!.tags[0]!.state, "pushed");
        } else {
          assert.equal((await done).images[0]!.tags[0]!.state, "pushed");
          registry.auth = { kind: "none" };
          assert.deepEqual(Object.keys(await verifyRegistry(registry.host, `${PATH}/app`)), ["v1"]);
          await verifyRegistry(registry.host, PATH);
        }
        if (wanted) assert.deepEqual(waits.map(({ ms }) => ms), wanted);
      });
    }
  });
});

/** One sentence for people, without a stack. */
function isPlain(thrown: unknown, code: string, message: RegExp): boolean {
  assert.ok(thrown instanceof EngineError, String(thrown));
  assert.equal(thrown.code, code);
  assert.match(thrown.message, message);
  assert.doesNotMatch(thrown.message, /\n|\bat .*\.ts:/);
  assert.notEqual(thrown.fix, "");
  return true;
}

/** Large blobs: layers. */
const isBlob = (request: Request, url: URL) =>
  request.method === "GET" && url.pathname.includes("/blobs/sha256:");

interface PullCase {
  readonly what: string;
  readonly times: number;
  readonly answer: (bytes: Uint8Array) => Response;
  /** Whether everything is taken in the end. */
  readonly taken: boolean;
}

const wrong = (bytes: Uint8Array) => new Response(bytes.map((byte) => byte ^ 1) as BodyInit);
const pullCases: readonly PullCase[] = [
  {
    what: "a truncated body",
    times: 2,
    answer: (bytes) => cutResponse(bytes, bytes.length >> 1),
    taken: true,
  },
  {
    what: "bodies that are always truncated",
    times: Infinity,
    answer: (b) => cutResponse(b, 0),
    taken: false,
  },
  { what: "another content", times: 1, answer: wrong, taken: true },
  { what: "always another content", times: Infinity, answer: wrong, taken: false },
  { what: "a burst of 500", times: 4, answer: () => failure(500, "UNKNOWN"), taken: true },
  { what: "500 without end", times: Infinity, answer: () => failure(500, "UNKNOWN"), taken: false },
  { what: "blobs that are gone", times: Infinity, answer: () => failure(404, "BLOB_UNKNOWN"), taken: false },
  { what: "no right to read", times: Infinity, answer: () => failure(403, "DENIED"), taken: false },
];

Deno.test("stages that cannot be read are built: neither pull nor build fails, and the store stays sound", async (t) => {
  await withBuilt(async (project) => {
    for (const [i, { what, times, answer, taken }] of pullCases.entries()) {
      await t.step(what, async () => {
        await using registry = new MemoryRegistry();
        const repo = `${registry.host}/${PATH}`;
        await using source = quickEngine(project);
        await source.pushStages([], { repo });
        registry.fault((request, url) => {
          if (!isBlob(request, url)) return undefined;
          const bytes = registry.blobOf(PATH, url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
          return bytes && answer(bytes);
        }, times);
        const server = openProject(project.dir, `${project.home}-${i}`);
        await using engine = quickEngine(server, { repo, repoReadOnly: true });
        const { stages } = await engine.pullStages();
        assert.equal(stages.some(({ state }) => state === "pulled"), taken);
        await using builder = quickEngine(server, { repo, repoReadOnly: true });
        const { stagesBuilt, images } = await builder.build();
        assert.equal(stagesBuilt === 0, taken);
        assert.equal(images[0]!.digest, (await (await source.build())).images[0]!.digest);
        const warned = server.events.some((e) =>
          e.type === "note" && e.level === "warn" && /is not used/.test(e.text)
        );
        assert.equal(warned, !taken);
        assert.deepEqual((await builder.checkStore()).problems, []);
      });
    }
  });
});

Deno.test("a registry that does not answer fails no build that only reads from it", async () => {
  await withBuilt(async (project) => {
    let repo: string;
    {
      await using registry = new MemoryRegistry();
      repo = `${registry.host}/${PATH}`;
    }
    const server = openProject(project.dir, `${project.home}-2`);
    await using engine = quickEngine(server, { cacheFrom: [repo] });
    assert.ok((await engine.build()).stagesBuilt > 0);
    assert.equal(server.events.filter((e) => e.type === "note" && e.level === "warn").length, 1);
    const { stages } = await engine.pullStages([], { repo });
    assert.ok(stages.length > 0);
    await assert.rejects(engine.push([], { repo }), (e) => isPlain(e, "REGISTRY_FAILED", /Cannot/));
  });
});

Deno.test("blobs that a registry keeps on another host are read and written there without credentials", async () => {
  await withBuilt(async (project) => {
    await using storage = new MemoryRegistry();
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "basic", user: "me", password: "secret" };
    const options = { registry: { username: "me", password: "secret" } };
    const repo = `${registry.host}/${PATH}`;
    await using engine = quickEngine(project, options);
    await engine.push([], { ...push, repo });
    let redirected = 0;
    registry.fault((request, url) => {
      if (!isBlob(request, url)) return undefined;
      redirected++;
      return Response.redirect(`http://${storage.host}${url.pathname}`, 307);
    }, Infinity);
    storage.fault((_, url) => {
      const bytes = registry.blobOf(PATH, url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
      return bytes && new Response(bytes as BodyInit);
    }, Infinity);
    await using other = quickEngine(openProject(project.dir, `${project.home}-2`), { ...options, repo });
    assert.equal((await other.build()).stagesBuilt, 0);
    assert.ok(redirected > 0);
    assert.deepEqual(storage.seen.filter(({ authorization }) => authorization !== undefined), []);
    assert.ok(storage.seen.length > 0);
  });
});

Deno.test("an interrupt ends the wait that a registry asks for at once, and leaves no tag", async () => {
  await withBuilt(async (project) => {
    await using registry = new MemoryRegistry();
    registry.fault(onUpload(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "300" })), Infinity);
    const controller = new AbortController();
    await using engine = project.engine({
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "note" && event.text.includes("asks to wait 300 s")) controller.abort();
      },
    });
    await assert.rejects(engine.push([], { repo: `${registry.host}/${PATH}` }), { name: "AbortError" });
    assert.deepEqual(registry.tagsOf(`${PATH}/app`), {});
  });
});

Deno.test("connections cut in the middle of blobs: push goes on or ends with one error, pull takes the rest", async () => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  await withBuilt(async (project) => {
    await using proxy = new TcpProxy(registry.host);
    const repo = `${proxy.host}/cut`;
    await using engine = quickEngine(project);
    proxy.cut("up", 200_000, Infinity);
    await assert.rejects(engine.push([], { ...push, repo }), (e) => isPlain(e, "REGISTRY_FAILED", /Cannot/));
    assert.ok(proxy.cuts > 1);
    proxy.heal();
    await using second = quickEngine(project);
    proxy.cut("up", 200_000, 2);
    assert.equal((await second.push([], { ...push, repo })).images[0]!.tags[0]!.state, "pushed");
    proxy.heal();
    assert.deepEqual(Object.keys(await verifyRegistry(registry.host, "cut/app")), ["v1"]);
    await verifyRegistry(registry.host, "cut");

    // Every connection brings something, and the next goes on from there.
    const before = proxy.cuts;
    proxy.cut("down", 200_000, Infinity);
    const server = openProject(project.dir, `${project.home}-2`);
    await using third = quickEngine(server, { repo });
    assert.equal((await third.build()).stagesBuilt, 0);
    assert.ok(proxy.cuts > before + 1);
    proxy.heal();
    assert.deepEqual((await third.checkStore()).problems, []);
  });
});

Deno.test("a registry that reads and delivers a few bytes at a time gets and gives everything", async () => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  await withBuilt(async (project) => {
    await using proxy = new TcpProxy(registry.host);
    proxy.piece = 300;
    const repo = `${proxy.host}/slow`;
    await using engine = project.engine();
    await engine.push([], { ...push, repo });
    await verifyRegistry(registry.host, "slow");
    await using other = openProject(project.dir, `${project.home}-2`).engine({ repo });
    assert.equal((await other.build()).stagesBuilt, 0);
  });
});
