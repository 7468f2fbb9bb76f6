/** The whole way of images and stages through a provider's registry, by the engine. */
import assert from "node:assert/strict";
import type { EngineOptions } from "../../../mod.ts";
import { type TestProject, withProject } from "../../support/project.ts";

const dappfile = `
dimg: app
from: scratch
git: [{ add: /src, to: /app }]
docker: { ENV: { A: b } }
`;

/** What the registry of REPO has, by repository below it. */
export interface CycleSubject {
  readonly repo: string;
  readonly options: EngineOptions;
  /** Tags of REPO ("") or of a repository below it, with their digests. */
  tagsOf(name: string): Readonly<Record<string, string>>;
}

/**
 * Builds into a shared cache, publishes, cleans up what a removed branch left, and restores it. Nothing may warn.
 *
 * @param check looks at the registry and the project at the end
 */
export async function shareAndCleanUp(
  { repo, options, tagsOf }: CycleSubject,
  check: (project: TestProject) => Promise<void> | void = () => {},
): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile, "src/a": "1\n" }, async (project) => {
    const open = () => project.engine({ repo, ...options });
    const publish = async () => {
      await using engine = open();
      return await engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true, withStages: true });
    };
    await publish();
    const [main] = Object.values(tagsOf("app"));
    await project.git("checkout", "-q", "-b", "feature");
    await project.write({ "src/a": "2\n" });
    await project.commit();
    await publish();
    assert.deepEqual(Object.keys(tagsOf("app")).sort(), ["feature", "main"]);
    const before = { app: tagsOf("app"), root: stagesOf(tagsOf("")) };
    await project.git("checkout", "-q", "main");
    await project.git("branch", "-q", "-D", "feature");

    await using engine = open();
    const plan = await engine.planCleanup({ repo, stages: "unneeded" });
    assert.equal(plan.counts.delete.image, 1);
    const report = await engine.applyCleanup(plan);
    assert.equal(report.outcome, "complete", JSON.stringify(report));
    assert.deepEqual(tagsOf("app"), { main });
    const restored = await engine.restore([], { repo });
    assert.deepEqual([...new Set(restored.tags.map(({ outcome }) => outcome))], ["restored"]);
    assert.deepEqual({ app: tagsOf("app"), root: stagesOf(tagsOf("")) }, before);
    assert.deepEqual(project.events.filter((e) => e.type === "note" && e.level === "warn"), []);
    await check(project);
  });
}

function stagesOf(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([tag]) => tag.startsWith("dimgstage-")));
}
