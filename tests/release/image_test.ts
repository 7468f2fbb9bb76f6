/** The image of dapp itself: built by dapp, and run by a real Docker engine with each row of docs/image.md. */
import assert from "node:assert/strict";
import { busyboxBase, denoBase } from "../support/bases.ts";
import { startDocker } from "../support/docker.ts";
import { writeFiles } from "../support/project.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

const root = new URL("../../", import.meta.url).pathname;

interface Row {
  readonly flags: readonly string[];
  readonly result: string;
}

/** The table of docs/image.md. */
async function rowsOfPage(): Promise<readonly Row[]> {
  const page = await Deno.readTextFile(`${root}docs/image.md`);
  const table = page.slice(page.indexOf("| Flags of `docker run`"));
  return table.slice(0, table.indexOf("\n\n")).split("\n").slice(2).map((line) => {
    const [, flags = "", result = ""] = line.split("|").map((cell) => cell.trim());
    return { flags: flags.startsWith("`") ? flags.replaceAll("`", "").split(" ") : [], result };
  });
}

Deno.test("the image of dapp builds in containers as its page says", async (t) => {
  const base = await denoBase();
  await using docker = base === undefined ? undefined : await startDocker();
  if (docker === undefined) return;
  await withTempDir(async (dir) => {
    const dapp = async (...words: readonly string[]) =>
      await run(
        [Deno.execPath(), "run", "-A", "--no-check", `${root}cli.ts`, "dimg", ...words].concat(
          ["--dir", root, "--config", "deploy/image/dappfile.yaml", "--dev"],
        ),
        { env: { DAPP_HOME: `${dir}/store`, DAPP_IMAGE_BASE: `oci:${base}:latest` } },
      );
    await dapp("build");
    await dapp("export", `docker-archive:${dir}/image.tar`);
    await docker.docker(["load", "--input", `${dir}/image.tar`]);
    const project = `${dir}/project`;
    await writeFiles(project, {
      "dappfile.yaml":
        "project: shop\n---\ndimg: web\nfrom: oci:base:latest\nshell: { setup: [id -u > /who && cat /who] }\n",
    });
    await run(["cp", "-r", await busyboxBase(), `${project}/base`]);
    await run(["chmod", "-R", "a+rX", dir]);
    const inside = async (flags: readonly string[]) => {
      const script = "dapp doctor; echo doctor $?; exec dapp dimg build 2>&1";
      const { code, stdout } = await docker.docker(
        ["run", "--rm", "--network", "host", "--volume", `${project}:/project:ro`, ...flags].concat(
          ["--entrypoint", "sh", "dapp-image", "-c", script],
        ),
        { allowFailure: true },
      );
      const [doctor = "", build = ""] = stdout.split(/^(?=doctor \d+$)/m);
      return { code, doctor, build, digest: /^web (sha256:\S+)$/m.exec(build)?.[1] };
    };
    const digests = new Set<string>();
    for (const { flags, result } of await rowsOfPage()) {
      await t.step(flags.join(" ") || "no flags", async () => {
        const { code, doctor, build, digest } = await inside(flags);
        if (result === "builds") {
          assert.equal(code, 0, build);
          digests.add(digest ?? "");
          assert.match(doctor, /builder native +ok/);
          assert.match(build, /^doctor 0$/m);
        } else {
          assert.equal(code, 1, build);
          assert.match(build, /^fix: /m);
          assert.ok(build.includes(result), build);
          assert.match(doctor, /builder native +missing/);
          assert.match(build, /^doctor 1$/m);
          assert.ok(doctor.includes(result), doctor);
        }
      });
    }
    assert.equal(digests.size, 1, "whoever builds it, the image is the same");
  });
});
