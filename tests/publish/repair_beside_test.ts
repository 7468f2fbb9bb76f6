/** Repairs where nothing can be stored, or others are at work. */
import assert from "node:assert/strict";
import type { Fault } from "../../testing/memory_registry/registry.ts";
import {
  anotherMachine,
  check,
  engineOf,
  inRegistry,
  type PublishedProject,
  withPublished,
} from "../support/published_project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** Loses two layers and a configuration; gives how many places lack something. */
async function lose({ project, registry, repo }: PublishedProject): Promise<number> {
  const { layers, config } = registry.documentOf("group/app/web", registry.tagsOf("group/app/web").v1!)!;
  for (const digest of [...layers!.slice(1).map(({ digest }) => digest), config!.digest]) {
    registry.loseBlob(digest);
  }
  return (await check(project, repo)).damaged.length;
}

const refusals: Readonly<Record<string, Fault>> = {
  "a login that may only read": (request) =>
    request.method === "GET" || request.method === "HEAD"
      ? undefined
      : Response.json({ errors: [{ code: "DENIED" }] }, { status: 403 }),
  "a registry that is full": (request) =>
    request.method === "GET" || request.method === "HEAD" ? undefined : Response.json(
      {
        errors: [{
          code: "DENIED",
          message: "adding 3 MiB of storage resource, which will exceed the configured quota",
        }],
      },
      { status: 403 },
    ),
};

Deno.test("a repair that can store nothing says so once a repository, and what is damaged", async (t) => {
  for (const [what, fault] of Object.entries(refusals)) {
    await t.step(what, async () => {
      await withPublished(inRegistry, async (published) => {
        const { project, registry, repo } = published;
        const count = await lose(published);
        registry.fault(fault, Infinity);
        const warnings: string[] = [];
        await using engine = engineOf(project, {
          onEvent: (event) => {
            if (event.type === "note" && event.level === "warn") warnings.push(event.text);
          },
        });
        const { damaged } = await engine.checkRepo([], { repo, repair: true });
        assert.equal(damaged.length, count);
        assert.ok(damaged.every(({ missing }) => missing.every(({ repaired }) => !repaired)));
        assert.ok(warnings.length > 0 && warnings.length <= 2, warnings.join("\n"));
      });
    });
  }
});

Deno.test("two machines repair at once, beside a push", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const other = await anotherMachine(published);
    {
      await using engine = engineOf(other, { repo });
      await engine.pullStages([], { all: true });
    }
    await lose(published);
    const pushing = async () => {
      await using engine = engineOf(project);
      return await engine.push([], {
        repo,
        build: true,
        withStages: true,
        tags: [{ flag: "tag", value: "v2" }],
      });
    };
    await Promise.all([
      check(project, repo, { repair: true }),
      check(other, repo, { repair: true }),
      pushing(),
    ]);
    assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
    for (const path of ["group/app", "group/app/web"]) await verifyRegistry(registry.host, path);
  });
});

Deno.test("a repair that is stopped at any request leaves nothing worse, and the next one goes on", async () => {
  for (const at of [1, 2, 4, 7, 11]) {
    await withPublished(inRegistry, async (published) => {
      const { project, registry, repo } = published;
      const count = await lose(published);
      let sent = 0;
      const controller = new AbortController();
      registry.fault((request) => {
        if (request.method !== "GET" && request.method !== "HEAD" && ++sent === at) {
          controller.abort(new Error("stopped"));
        }
        return undefined;
      }, Infinity);
      {
        await using engine = engineOf(project, { signal: controller.signal });
        await engine.checkRepo([], { repo, repair: true }).catch(() => {});
      }
      assert.ok((await check(project, repo)).damaged.length <= count);
      await check(project, repo, { repair: true });
      assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
    });
  }
});
