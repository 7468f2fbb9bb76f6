/** Asking git ahead of what needs it. */
import assert from "node:assert/strict";
import { withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

const dappfile = "dimg: app\nfrom: scratch\n";

Deno.test("prefetch() that fails fails nobody who does not wait for it", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await run(["git", "init", "-q", project.dir]);
    await Deno.writeTextFile(`${project.dir}/.git/HEAD`, "nothing");
    await using engine = project.engine();
    engine.prefetch();
    await assert.rejects(engine.prefetch(), { code: "GIT_FAILED" });
  });
});

Deno.test("prefetch() fails nobody when the engine is disposed of before it ends", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine();
    engine.prefetch();
  });
});

Deno.test("prefetch() leaves it to others to say that there is no such directory", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine({ dir: `${project.dir}/nowhere` });
    await engine.prefetch();
    await assert.rejects(engine.list(), { code: "CONFIG_NOT_FOUND" });
  });
});
