import assert from "node:assert/strict";
import { applyInstructions, environment, InstructionError } from "../../core/build/docker_instructions.ts";
import type { ContainerConfig } from "../../lib/oci/types.ts";
import { comparable, instructionBase, instructionCases, REFUSED } from "../support/docker_instructions.ts";

Deno.test("applyInstructions() does what the Dockerfile instruction of that name does", async (t) => {
  for (const { name, docker, want } of instructionCases) {
    await t.step(name, () => {
      if (want === REFUSED) {
        return void assert.throws(() => applyInstructions(instructionBase, docker), InstructionError);
      }
      const seen = comparable(applyInstructions(instructionBase, docker));
      assert.deepEqual(seen, comparable({ ...instructionBase, ...want } as ContainerConfig));
    });
  }
});

Deno.test("applyInstructions() knows the usual PATH where the base has none, and does not invent it", () => {
  const usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const apply = (docker: Parameters<typeof applyInstructions>[1]) => applyInstructions({}, docker);
  assert.deepEqual(apply({ ENV: { PATH: "/app/bin:$PATH" } }).Env, [`PATH=/app/bin:${usual}`]);
  assert.deepEqual(apply({ ENV: { A: "${PATH}" }, LABEL: { p: "$PATH" } }), {
    Env: [`A=${usual}`],
    Labels: { p: usual },
  });
  assert.deepEqual(apply({ CMD: "x" }).Cmd, ["/bin/sh", "-c", "x"]);
});

Deno.test("applyInstructions() names instruction, value and what is wrong", () => {
  const cases = [
    [{ EXPOSE: ["$HOST"] }, 'EXPOSE "$HOST": "db" is not a port'],
    [{ WORKDIR: "$HOST/x" }, 'WORKDIR "$HOST/x": Path "db/x" is relative: it must be absolute'],
    [{ USER: "$NOPE" }, 'USER "$NOPE": The value is empty'],
    [{ ENV: { B: "${NOPE?}" } }, 'ENV B "${NOPE?}": variable "NOPE" is not set'],
    [{ LABEL: { "$EMPTY": "1" } }, 'LABEL "$EMPTY": The name is empty'],
  ] as const;
  for (const [docker, message] of cases) {
    assert.throws(() => applyInstructions(instructionBase, docker), { name: "InstructionError", message });
  }
});

Deno.test("environment() takes the last row of a name and no member of objects", () => {
  const env = environment(["A=1", "A=2", "NOVALUE", "=x", "B=c=d"]);
  assert.deepEqual([...env], [["A", "2"], ["B", "c=d"]]);
  assert.equal(env.get("constructor"), undefined);
});
