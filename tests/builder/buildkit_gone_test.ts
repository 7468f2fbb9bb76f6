/** Stages that are only in REPO, which somebody takes away while a build stands on them. */
import assert from "node:assert/strict";
import type { Layer } from "../../mod.ts";
import { build, twin } from "../support/attacked_build.ts";
import { busyboxBase } from "../support/bases.ts";
import { startBuildkitd } from "../support/buildkitd.ts";
import { type Gate, type GatedRegistry, isDaemon, startGatedRegistry } from "../support/gated_registry.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const RANDOM = "cat /proc/sys/kernel/random/uuid";

/** Requests of a build whose last stage is new. */
const MOMENTS: Readonly<Record<string, (...request: Parameters<Gate>) => boolean>> = {
  "before the daemon takes it": (request, { pathname }) =>
    request.method !== "PUT" && isDaemon(request) && pathname.includes("/manifests/sha256:"),
  "while the layer upon it comes": (request, { pathname }) =>
    request.method === "POST" && isDaemon(request) && pathname.includes("/blobs/uploads/"),
  "when the stage upon it is published": ({ method, headers }, { pathname }) =>
    method === "PUT" && headers.get("user-agent")!.startsWith("dapp") &&
    pathname.includes("/manifests/dimgstage-"),
};

/** Takes all stages away, with what only they name. */
async function takeAway(registry: GatedRegistry, path: string): Promise<void> {
  const stages = Object.entries(await registry.tags(path)).filter(([tag]) => tag.startsWith("dimgstage-"));
  assert.ok(stages.length > 0);
  for (const digest of new Set(stages.map(([, digest]) => digest))) await registry.remove(path, digest);
  await registry.collect();
}

/** Builds what one daemon has made half of in another one, which knows nothing of it. */
async function resumed(
  body: (site: {
    readonly project: TestProject;
    readonly registry: GatedRegistry;
    /** Of the half: the layer of the base, and that of commands. */
    readonly layers: readonly Layer[];
    readonly options: { readonly repo: string; readonly env: Readonly<Record<string, string>> };
  }) => Promise<void>,
): Promise<void> {
  await using first = await startBuildkitd();
  await using second = await startBuildkitd();
  await using registry = await startGatedRegistry();
  if (!first || !second || !registry) return;
  const repo = `${registry.host}/shop`;
  const base = await busyboxBase();
  const text = `dimg: app\nfrom: oci:${base}:latest\nshell:\n  install: ["${RANDOM} >/one"]\n`;
  await withProject({ "dappfile.yaml": text }, async (project) => {
    const { images } = await build(project, { repo, env: { BUILDKIT_HOST: first.address } });
    const { layers } = images[0]!.state;
    assert.equal(layers.length, 2);
    await project.write({ "dappfile.yaml": `${text}  setup: ["cat /one >/two"]\n` });
    await project.commit();
    const options = { repo, env: { BUILDKIT_HOST: second.address } };
    await body({ project, registry, layers, options });
  });
}

for (const [moment, isIt] of Object.entries(MOMENTS)) {
  Deno.test(`a stage that goes from REPO ${moment} costs no more than building it again`, async () => {
    await resumed(async ({ project, registry, options }) => {
      let gone: Promise<void> | undefined;
      registry.gate((...request) => gone ??= isIt(...request) ? takeAway(registry, "shop") : undefined);
      const built = await build(twin(project), options);
      assert.ok(gone, "nothing was taken away");
      await verifyRegistry(registry.host, "shop");
      assert.equal(built.images[0]!.state.layers.length, 3);
      const taken = await build(twin(project), { repo: options.repo });
      assert.equal(taken.stagesBuilt, 0);
      assert.equal(taken.images[0]!.digest, built.images[0]!.digest);
    });
  });
}

const HALF = ["the base", "commands"];

for (const [which, layer] of HALF.entries()) {
  Deno.test(`a stage in REPO that lacks the layer of ${layer} is built again when the daemon meets that first`, async (t) => {
    const machines = { "this machine has": (project: TestProject) => project, "is nowhere else": twin };
    for (const [name, machine] of Object.entries(machines)) {
      for (const failFast of [false, true]) {
        await t.step(
          `what ${name}${failFast ? ", and builds end at the first failure" : ""}`,
          () =>
            resumed(async ({ project, registry, layers, options }) => {
              await registry.removeBlob("shop", layers[which]!.digest);
              await using engine = machine(project).engine(options);
              const built = await engine.build([], { failFast });
              assert.equal(built.images[0]!.state.layers.length, 3);
              await verifyRegistry(registry.host, "shop");
            }),
        );
      }
    }
  });
}
