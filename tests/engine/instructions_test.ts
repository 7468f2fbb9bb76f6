import assert from "node:assert/strict";
import type { EngineError } from "../../mod.ts";
import { writeImage } from "../support/made_image.ts";
import { withProject } from "../support/project.ts";

Deno.test("ONBUILD triggers of a base are not passed on, and are said", async () => {
  const dappfile = `
dimg: base
from: scratch
docker: { ONBUILD: [RUN a, COPY . /], USER: me }
---
dimg: app
fromDimg: base
docker: { ONBUILD: [RUN own] }
---
dimg: plain
fromDimg: base
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine();
    const { images } = await engine.build();
    const triggers = images.map(({ name, state }) => [name, state.config.config?.OnBuild]);
    assert.deepEqual(triggers, [["base", ["RUN a", "COPY . /"]], ["app", ["RUN own"]], ["plain", undefined]]);
    assert.deepEqual(images.map(({ state }) => state.config.config?.User), ["me", "me", "me"]);
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    // both stand on it, and one of them makes their stage
    const [note, ...others] = notes.filter((text) => text.includes("ONBUILD"));
    assert.match(
      note ?? "none",
      /^The base of (app|plain) has ONBUILD triggers, which are not run: RUN a; COPY \. \/$/,
    );
    assert.deepEqual(others, []);
  });
});

Deno.test("which release a base is, is not passed on; what the dappfile says of its own is", async () => {
  const [revision, version] = ["org.opencontainers.image.revision", "org.opencontainers.image.version"];
  const dappfile = `
dimg: base
from: oci:theirs
docker: { LABEL: { ${version}: ours } }
---
dimg: app
fromDimg: base
---
dimg: plain
from: oci:theirs
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const Labels = { [revision]: "abc", [version]: "24.04", maintainer: "me" };
    await writeImage(`${project.dir}/theirs`, { layers: [], config: { config: { Labels } } });
    await using engine = project.engine();
    const { images } = await engine.build();
    assert.deepEqual(images.map(({ name, state }) => [name, { ...state.config.config?.Labels }]), [
      ["base", { maintainer: "me", [version]: "ours" }],
      ["app", { maintainer: "me", [version]: "ours" }],
      ["plain", { maintainer: "me" }],
    ]);
  });
});

Deno.test("a base that cannot be had is told with the document that wants it", async () => {
  const files = {
    "dappfile.yaml": "include: more.yaml\n---\ndimg: app\nfrom: scratch\n---\ndimg: odd\nfrom: oci:gone\n",
    "more.yaml": "dimg: more\nfrom: oci:nowhere\n",
  };
  await withProject(files, async (project) => {
    await using engine = project.engine();
    for (const [name, at] of [["odd", "dappfile.yaml:6"], ["more", "more.yaml:1"]]) {
      await assert.rejects(engine.plan([name!]), (error: EngineError) => {
        assert.equal(error.details.at, at);
        return true;
      });
    }
  });
});

Deno.test("an instruction that does not fit the image is an error of the dappfile, with its line", async () => {
  const dappfile = `
dimg: base
from: scratch
docker: { ENV: { PORT: http } }
---
dimg: app
fromDimg: base
docker: { EXPOSE: $PORT }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = project.engine();
    await assert.rejects(engine.build(), (error: EngineError) => {
      assert.equal(error.code, "CONFIG_INVALID");
      assert.equal(error.message, 'Cannot build app/docker: EXPOSE "$PORT": "http" is not a port');
      assert.match(error.fix, /`docker` of the document at line 6 of the dappfile$/);
      return true;
    });
  });
});

Deno.test("variables of the environment are those that are set, whatever their names", async () => {
  const dappfile = `
dimg: app
from: scratch
docker: { LABEL: { a: "\${{ env.constructor || 'none' }}", b: "\${{ env.toString || 'none' }}" } }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    for (const [env, a] of [[{}, "none"], [{ constructor: "set" }, "set"]] as const) {
      await using engine = project.engine({ env });
      const { images } = await engine.build();
      assert.deepEqual(images[0]!.state.config.config?.Labels, { a, b: "none" });
    }
  });
});
