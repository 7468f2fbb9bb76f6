import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { withProject } from "../support/project.ts";
import { verifyLayout } from "../support/verify_registry.ts";

Deno.test("push into a directory that another writer has just begun, or was killed in, uses it", async () => {
  const dappfile = `dimg: app\nfrom: oci:${await busyboxBase()}:latest\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine();
    await engine.build();
    const begun = [
      ["oci-layout.0123abcd.tmp"],
      ["oci-layout", "index.json.0123abcd.tmp", ".dapp-lock"],
      ["blobs/sha256/a.0123abcd.tmp", "oci-layout.0123abcd.tmp", "index.json.89abcdef.tmp"],
    ];
    for (const [i, names] of begun.entries()) {
      await project.write(Object.fromEntries(names.map((name) => [`repo-${i}/${name}`, ""])));
      await engine.push([], { repo: `oci:repo-${i}` });
      assert.deepEqual(Object.keys(await verifyLayout(`${project.dir}/repo-${i}`)), ["app-latest"]);
    }
    await project.write({ "other/oci-layout.tmp": "" });
    const refused = { code: "REGISTRY_FAILED", message: /something else in it/ };
    await assert.rejects(engine.push([], { repo: "oci:other" }), refused);
    await assert.rejects(engine.push([], { repo: "oci:dappfile.yaml" }), EngineError);
  });
});

Deno.test("an engine that has checked the store goes on to build", async () => {
  const dappfile = `dimg: app\nfrom: oci:${await busyboxBase()}:latest\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine();
    assert.deepEqual((await engine.checkStore()).problems, []);
    assert.equal((await engine.build()).images.length, 1);
    assert.deepEqual((await engine.checkStore()).problems, []);
  });
});
