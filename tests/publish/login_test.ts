import assert from "node:assert/strict";
import { openProject, withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";

Deno.test("checkRegistry() needs no dappfile; what else there is does", async () => {
  await using registry = new MemoryRegistry();
  const repo = `${registry.host}/shop`;
  await withProject({ "README": "no dappfile\n" }, async (project) => {
    await using engine = project.engine();
    const { probes } = await engine.checkRegistry({ repo });
    assert.deepEqual(probes.filter(({ result }) => result === "failed"), []);
    await using other = project.engine();
    await assert.rejects(other.push([], { repo }), { code: "CONFIG_NOT_FOUND" });
    await using named = project.engine({ config: "other.yaml" });
    await assert.rejects(named.checkRegistry({ repo }), { code: "CONFIG_NOT_FOUND" });
  });
});

Deno.test("the login of the command line counts in every command and for every platform", async () => {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "basic", user: "ci", password: "hunter2" };
  const files = {
    "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\n",
    "src/a": "a\n",
  };
  await withProject(files, async (project) => {
    const env = { PATH: Deno.env.get("PATH"), HOME: project.home };
    const options = {
      env,
      registry: { username: "ci", password: "hunter2" },
      platform: "linux/amd64,linux/arm64",
    };
    await using first = project.engine({ ...options, repo: `${registry.host}/live` });
    await first.build();
    const repo = `${registry.host}/app`;
    await using second = project.engine(options);
    await second.push([], { repo, withStages: true });
    await using third = project.engine(options);
    const { stages } = await third.pushStages([], { repo });
    assert.ok(stages.length > 1 && stages.every(({ state }) => state === "exists"));
    const server = openProject(project.dir, `${project.home}-2`);
    await using fourth = server.engine({ ...options, repo: `${registry.host}/live` });
    assert.equal((await fourth.build()).stagesBuilt, 0);
    await using fifth = openProject(project.dir, `${project.home}-3`).engine(options);
    const pulled = await fifth.pullStages([], { repo, all: true });
    assert.ok(pulled.stages.every(({ state }) => state === "pulled"));
    assert.deepEqual((await fifth.published([], { repo })).images.map(({ name }) => name), ["app"]);
  });
});
