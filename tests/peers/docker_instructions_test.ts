import assert from "node:assert/strict";
import type { ContainerConfig } from "../../lib/oci/types.ts";
import { useDocker } from "../support/docker.ts";
import {
  baseLines,
  comparable,
  dockerfileLines,
  instructionBase,
  instructionCases,
  REFUSED,
} from "../support/docker_instructions.ts";
import { withTempDir } from "../support/tmp.ts";

const docker = useDocker();

Deno.test("Docker does with instructions what the table of seen answers says", async (t) => {
  const daemon = docker();
  if (!daemon) return;
  await withTempDir(async (dir) => {
    const build = async (
      name: string,
      lines: readonly string[],
    ): Promise<ContainerConfig | typeof REFUSED> => {
      await Deno.writeTextFile(`${dir}/Dockerfile`, lines.join("\n") + "\n");
      const { code } = await daemon.docker(["build", "-q", "-t", name, dir], {
        allowFailure: true,
        env: { DOCKER_BUILDKIT: "1" },
      });
      if (code !== 0) return REFUSED;
      return JSON.parse((await daemon.docker(["inspect", "-f", "{{json .Config}}", name])).stdout);
    };
    const base = await build("base:latest", baseLines(instructionBase));
    assert.notEqual(base, REFUSED);
    assert.deepEqual(comparable(base as ContainerConfig), comparable(instructionBase));
    for (const { name, docker, want, theirs = want, never } of instructionCases) {
      if (never) continue;
      await t.step(name, async () => {
        const seen = await build("case:latest", ["FROM base:latest", ...dockerfileLines(docker)]);
        if (theirs === REFUSED || seen === REFUSED) return assert.deepEqual(seen, theirs);
        assert.deepEqual(comparable(seen), comparable({ ...instructionBase, ...theirs } as ContainerConfig));
      });
    }
  });
});
