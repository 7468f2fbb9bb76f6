/** Registries that say that they have deleted something, and have not, or not yet. */
import assert from "node:assert/strict";
import { use } from "../../mod.ts";
import type { DeletionRule } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { engineOf, inRegistry, withPublished } from "../support/published_project.ts";
import settled from "../support/settled_registry.ts";

const accepted = () => new Response(null, { status: 202 });

const liars: readonly (readonly [what: string, rule: DeletionRule, lies: (path: string) => boolean])[] = [
  ["everything", "tags", () => true],
  ["tags", "tags", (path) => !path.includes("/manifests/sha256:")],
  ["manifests", "manifests", (path) => path.includes("/manifests/sha256:")],
];

Deno.test("what a registry says it has deleted, and still has, was not deleted", async (t) => {
  for (const [what, rule, lies] of liars) {
    await t.step(`a registry that answers 202 to DELETE of ${what} and does nothing`, async () => {
      await withPublished(inRegistry, async ({ project, registry, repo }) => {
        registry.deletion = rule;
        const before = registry.tagsOf("group/app/web");
        registry.fault(
          (request, url) => request.method === "DELETE" && lies(url.pathname) ? accepted() : undefined,
          Infinity,
        );
        await using engine = engineOf(project, {
          plugins: [use(fakeBuilder(new FakeBuilderLog())), use(settled)],
        });
        const plan = await engine.planCleanup({ repo, flush: true });
        const report = await engine.applyCleanup(plan);
        assert.deepEqual([report.outcome, report.exitCode], ["partial", 1]);
        assert.equal(report.message, "The registry says that 2 tags are deleted, and still has them");
        assert.equal(report.counts.refused, 2);
        const { v1 } = registry.tagsOf("group/app/web");
        assert.equal(v1, before.v1);
      });
    });
  }
});

Deno.test("a registry that deletes a while after it has said so has deleted", async () => {
  await withPublished(inRegistry, async ({ project, registry, repo }) => {
    registry.deletion = "tags";
    let looks = 0;
    let late: (() => void) | undefined;
    registry.fault((request, url) => {
      if (request.method === "DELETE" && url.pathname.endsWith("/web/manifests/v1")) {
        late = () => registry.dropManifest("group/app/web", registry.tagsOf("group/app/web").v1!);
        return accepted();
      }
      if (late && request.method === "HEAD" && url.pathname.endsWith("/web/manifests/v1") && ++looks > 1) {
        late();
      }
      return undefined;
    }, Infinity);
    await using engine = engineOf(project, {
      plugins: [use(fakeBuilder(new FakeBuilderLog())), use(settled)],
    });
    const report = await engine.applyCleanup(await engine.planCleanup({ repo, flush: true }));
    assert.deepEqual([report.outcome, report.exitCode, report.counts.deleted], ["complete", 0, 2]);
  });
});
