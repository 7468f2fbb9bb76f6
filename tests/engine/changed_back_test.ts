import assert from "node:assert/strict";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { use } from "../../mod.ts";
import { withProject } from "../support/project.ts";

const dappfile = (command: string, environment: string) =>
  `project: shop
---
dimg: app
from: scratch
git: [{ add: /, to: /app, excludePaths: [dappfile.yaml], stageDependencies: { setup: ["*.txt"] } }]
shell: { install: [write /first 1], setup: [${command}] }
docker: { ENV: { MODE: ${environment} } }
`;

Deno.test("what was changed, built and changed back is told as no change of a stage that is built for another reason", async () => {
  const log = new FakeBuilderLog();
  const files = { "dappfile.yaml": dappfile("write /made a", "x"), "a.txt": "one" };
  await withProject(files, async ({ engine, write, commit }) => {
    const build = async (files: Record<string, string>) => {
      await write(files);
      await commit("next");
      await using opened = engine({ plugins: [use(fakeBuilder(log))] });
      await opened.build();
    };
    const reasons = async (files: Record<string, string>) => {
      await write(files);
      await commit("planned");
      await using opened = engine({ plugins: [use(fakeBuilder(log))] });
      const [image] = (await opened.plan()).images;
      const building = image!.stages.filter(({ state }) => state === "build");
      const { stages: [explained] } = (await opened.explain("app", "setup")).images[0]!;
      return { stages: building.map(({ stage, reason }) => [stage, reason]), setup: explained!.changes };
    };
    await build({ "a.txt": "two" });
    await build({ "dappfile.yaml": dappfile("write /made b", "y") });
    await build({ "dappfile.yaml": dappfile("write /made a", "x") }); // takes what is there
    const back = await reasons({ "a.txt": "three" });
    assert.deepEqual(back.stages, [
      ["git:setup", "1 file changed (/app/a.txt)"],
      ["setup", "git:setup before it is rebuilt"],
      ["docker", "setup before it is rebuilt"],
    ]);
    assert.deepEqual(back.setup, []);
    // What really is another one than ever before is told, as a change of what was built last.
    const { setup } = await reasons({ "dappfile.yaml": dappfile("write /made c", "x") });
    assert.deepEqual(setup, [{
      kind: "commands",
      key: "commands",
      diff: ["-write /made b", "+write /made c"],
    }]);
  });
});
