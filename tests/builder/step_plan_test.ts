import assert from "node:assert/strict";
import type { StepMount } from "../../core/contract/builder.ts";
import { planStep } from "../../plugins/builder/buildkit/step_plan.ts";
import type { Signature } from "../../core/contract/signature.ts";

const paths = ["/var/cache/apt", "/var/lib/apt", "/npm", "/var"];
const caches = paths.map((target): StepMount => ({
  kind: "cache",
  project: "shop",
  name: target,
  target,
  locked: true,
}));

Deno.test("steps of BuildKit take what they want for themselves in one order, the outermost first", () => {
  const taken = (mounts: readonly StepMount[]) => {
    const { mounts: all } = planStep(
      { label: "app install", signature: "0".repeat(64) as Signature, commands: ["true"], env: {}, mounts },
      {
        platform: { os: "linux", architecture: "amd64" },
        shell: "/bin/sh",
        manifest: `sha256:${"0".repeat(64)}`,
        run: "run",
      },
    );
    return all.map(({ dest }) => dest).filter((dest) => paths.includes(dest!));
  };
  const order = ["/npm", "/var", "/var/cache/apt", "/var/lib/apt"];
  for (const mounts of [caches, caches.toReversed()]) assert.deepEqual(taken(mounts), order);
});
