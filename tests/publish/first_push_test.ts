/** What a first push asks, and what waits for what; a test whose order is another one would never end. */
import assert from "node:assert/strict";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { type TestProject, withProject } from "../support/project.ts";

const MARK = "/v2/group/manifests/dappservice-dimg-app";
const TAG = "/v2/group/app/manifests/latest";
const files = { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n", "a.txt": "a\n" };

interface First {
  readonly project: TestProject;
  readonly registry: MemoryRegistry;
  /** Pushes with what the store remembers; gives the state of the tag. */
  push(): Promise<string>;
  /** What was asked since the last question. */
  asked(): readonly string[];
}

async function withFirst(body: (first: First) => Promise<void>): Promise<void> {
  await withProject(files, async (project) => {
    await using registry = new MemoryRegistry();
    {
      await using engine = project.engine();
      await engine.build();
    }
    const push = async () => {
      await using engine = project.engine();
      const { images } = await engine.push([], { repo: `${registry.host}/group` });
      return images[0]!.tags[0]!.state;
    };
    const asked = () => registry.seen.splice(0).map(({ method, path }) => `${method} ${path}`);
    await body({ project, registry, push, asked });
  });
}

Deno.test("a first push asks for tag and mark once, looks no blob up, and stores a tag after all else", async () => {
  await withFirst(async ({ registry, push, asked }) => {
    registry.auth = { kind: "bearer" };
    assert.equal(await push(), "pushed");
    const all = asked();
    const at = (line: string) => all.indexOf(line);
    assert.deepEqual(all.filter((line) => line.startsWith("HEAD ")), []);
    for (const path of [TAG, MARK]) assert.equal(all.filter((line) => line === `GET ${path}`).length, 1);
    assert.ok(at(`GET ${TAG}`) < all.findIndex((line) => line.startsWith("POST ")));
    // Taking blobs over from REPO needs no token of its own.
    assert.equal(all.filter((line) => line.startsWith("GET /token")).length, 2);
    assert.ok(all.some((line) => line.startsWith("POST /v2/group/app/") && line.includes("from=group")));
    const blobs = (path: string) =>
      all.findLastIndex((line) => line.startsWith(`PUT /v2/${path}/blobs/uploads/`));
    assert.ok(blobs("group") >= 0 && blobs("group") < at(`PUT ${MARK}`));
    assert.ok(blobs("group/app") >= 0 && blobs("group/app") < at(`PUT ${TAG}`));
    assert.ok(at(`PUT ${MARK}`) < at(`PUT ${TAG}`));
    assert.equal(at(`PUT ${TAG}`), all.length - 1);
    assert.equal(registry.openUploads, 0);
  });
});

Deno.test("the mark of a dimg does not wait for layers, nor layers for it; the tag waits for both", async (t) => {
  const isMark = ({ pathname }: URL) => pathname.startsWith("/v2/group/") && !pathname.includes("/app/");
  for (const [first, other] of [["mark", "layers"], ["layers", "mark"]] as const) {
    await t.step(`${first} before ${other}`, async () => {
      await withFirst(async ({ registry, push }) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        let wanted = 2; // the layer or its stand-in, and the configuration
        registry.fault(async (request, url) => {
          if (request.method === "PUT" && url.pathname === TAG) {
            assert.ok(registry.tagsOf("group")["dappservice-dimg-app"]);
          }
          if (!["POST", "PUT"].includes(request.method) || url.pathname === TAG) return undefined;
          const own = isMark(url) === (first === "mark");
          if (!own) await promise;
          const last = first === "mark"
            ? url.pathname === MARK
            : request.method === "PUT" && url.pathname.includes("/app/blobs/") && --wanted === 0;
          if (own && last) resolve();
          return undefined;
        }, Infinity);
        assert.equal(await push(), "pushed");
        assert.ok(registry.tagsOf("group/app").latest);
      });
    });
  }
});

Deno.test("no tag is stored where the mark of its dimg cannot be", async () => {
  await withFirst(async ({ registry, push }) => {
    registry.fault(
      (request, { pathname }) =>
        request.method === "PUT" && pathname === MARK ? new Response(null, { status: 403 }) : undefined,
      Infinity,
    );
    await assert.rejects(push(), { code: "REGISTRY_DENIED" });
    assert.deepEqual(registry.tagsOf("group/app"), {});
  });
});

Deno.test("who remembers nothing sends nothing for what stands already, and a changed image without its mark again", async () => {
  await withFirst(async ({ project, registry, push, asked }) => {
    await push();
    await Deno.rename(`${project.home}/memo`, `${project.home}/memo-then`);
    asked();
    // Nobody waits for the question for the mark, which would come during the next push.
    const { promise, resolve } = Promise.withResolvers<void>();
    registry.fault(async ({ method }, { pathname }) => {
      if (pathname === MARK) resolve();
      if (method === "GET" && pathname === TAG) await promise;
      return undefined;
    }, Infinity);
    assert.equal(await push(), "exists");
    const all = asked();
    assert.deepEqual(
      all.filter((line) => line.includes("/manifests/")).sort(),
      [`GET ${TAG}`, `GET ${MARK}`].sort(),
    );
    assert.deepEqual(all.filter((line) => !line.startsWith("GET ")), []);
    // What the GET told is remembered.
    assert.equal(await push(), "exists");
    assert.deepEqual(asked().filter((line) => line.includes("/manifests/")), [`HEAD ${TAG}`]);

    await project.write({ "a.txt": "changed\n" });
    await project.commit();
    {
      await using engine = project.engine();
      await engine.build();
    }
    const mark = registry.tagsOf("group")["dappservice-dimg-app"]!;
    const gone = await fetch(`http://${registry.host}/v2/group/manifests/${mark}`, { method: "DELETE" });
    await gone.body?.cancel();
    assert.equal(registry.tagsOf("group")["dappservice-dimg-app"], undefined);
    assert.equal(await push(), "pushed");
    assert.ok(registry.tagsOf("group")["dappservice-dimg-app"]);
  });
});

Deno.test("a dry run does not ask for marks", async () => {
  await withFirst(async ({ project, registry, asked }) => {
    await using engine = project.engine({ dryRun: true });
    const { images } = await engine.push([], { repo: `${registry.host}/group` });
    assert.equal(images[0]!.tags[0]!.state, "would push");
    assert.deepEqual(asked().filter((line) => line.includes("/manifests/")), [`GET ${TAG}`]);
  });
});
