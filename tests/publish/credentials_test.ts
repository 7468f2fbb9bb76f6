import assert from "node:assert/strict";
import { withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";

Deno.test("the login of the command line is shown to the host of REPO and to no other", async () => {
  await using base = new MemoryRegistry();
  await using cache = new MemoryRegistry();
  await using main = new MemoryRegistry();
  await base.addImage("library/base", "1", { layers: [new Uint8Array(1024)] });
  main.auth = { kind: "basic", user: "ci", password: "hunter2" };
  const dappfile = `dimg: app\nfrom: ${base.host}/library/base:1\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const registry = { username: "ci", password: "hunter2" };
    const env = { PATH: Deno.env.get("PATH"), HOME: project.home };
    await using engine = project.engine({ registry, cacheFrom: [`${cache.host}/x/app`], env });
    await engine.push([], { repo: `${main.host}/x/app`, build: true });
    assert.ok(main.seen.some(({ authorization }) => authorization?.startsWith("Basic ")));
    for (const other of [base, cache]) {
      assert.ok(other.seen.length > 0);
      assert.ok(other.seen.every(({ authorization }) => authorization === undefined));
    }
    assert.deepEqual(Object.keys(main.tagsOf("x/app/app")), ["latest"]);
    assert.ok(!JSON.stringify(project.events).includes("hunter2"));
  });
});
