import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import tagCalver from "../../examples/tag_calver.ts";
import { use } from "../../mod.ts";

const example = await Deno.readTextFile(new URL("../../examples/tag_calver.ts", import.meta.url));
const image = async () => `dimg: app\nfrom: oci:${await busyboxBase()}:latest\n`;
const CALENDAR = /^oci:.*:app-\d{4}\.\d{1,2}\.\d{1,2}$/;

Deno.test("--tag-calver of the example works from a dappfile", async () => {
  const dappfile = `plugins: [{ use: ./calver.ts, options: { zone: UTC } }]\n---\n${await image()}`;
  await withProject(
    { "dappfile.yaml": dappfile, "calver.ts": example },
    (project) =>
      withTempDir(async (dir) => {
        await using engine = project.engine();
        assert.ok(
          (await engine.tagFlags()).some(({ name, plugin }) =>
            name === "tag-calver" && plugin === "tag-calver"
          ),
        );
        await engine.build();
        const { images } = await engine.push([], { repo: `oci:${dir}/out`, tags: [{ flag: "tag-calver" }] });
        const [tag] = images[0]!.tags;
        assert.match(tag!.reference, CALENDAR);
        assert.equal(tag!.plugin, "tag-calver");
      }),
  );
});

Deno.test("--tag-calver of the example works from mod.ts", async () => {
  await withProject({ "dappfile.yaml": await image() }, (project) =>
    withTempDir(async (dir) => {
      await using engine = project.engine({ plugins: [use(tagCalver, { zone: "Europe/Berlin" })] });
      await engine.build();
      const { images } = await engine.push([], { repo: `oci:${dir}/out`, tags: [{ flag: "tag-calver" }] });
      assert.match(images[0]!.tags[0]!.reference, CALENDAR);
    }));
});
