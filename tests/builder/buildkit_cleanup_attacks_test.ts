/** Builds that stand on what daemons left under spare tags, while somebody cleans, is killed at it, or moves a base. */
import assert from "node:assert/strict";
import type { BuildResult } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { build, pushBusybox, twin } from "../support/attacked_build.ts";
import { type Buildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { endOf, type EngineJob, startEngine } from "../support/engine_process.ts";
import { type Gate, type GatedRegistry, isDaemon, startGatedRegistry } from "../support/gated_registry.ts";
import { kill, run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";
import { until } from "../support/until.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** A project whose base and stages are in one registry. */
interface Site {
  readonly project: TestProject;
  readonly registry: GatedRegistry;
  readonly daemon: Buildkitd;
  readonly options: { readonly repo: string; readonly env: Readonly<Record<string, string>> };
}

const RANDOM = "head -c 20000 /dev/urandom";

/** What a base comes into: an image of two layers. */
const documents = (base: string): Readonly<Record<string, string>> => ({
  "a Dockerfile": "dockerfile: Dockerfile\n",
  "a step": `from: ${base}\nshell: { install: ["${RANDOM} >/one"] }\n`,
});

/** @param origin where the base is, if that is another registry */
async function each(
  t: Deno.TestContext,
  body: (site: Site) => Promise<void>,
  origin?: { readonly host: string },
): Promise<void> {
  for (const what of Object.keys(documents(""))) {
    await t.step(what, async () => {
      await using registry = await startGatedRegistry();
      await using daemon = await startBuildkitd();
      if (!daemon || !registry) return;
      const base = await pushBusybox((origin ?? registry).host);
      const files = {
        "dappfile.yaml": `project: shop\nplugins: [${SETTLED}]\n---\ndimg: app\n${documents(base)[what]}`,
        "Dockerfile": `FROM ${base}\nRUN ${RANDOM} >/one\n`,
        ...settledFile,
      };
      const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon.address } };
      await withProject(files, (project) => body({ project, registry, daemon, options }));
    });
  }
}

/** Does something once, before the registry hears of the first request of which `isIt` says so. */
function once(
  registry: GatedRegistry,
  isIt: (...request: Parameters<Gate>) => boolean,
  action: () => unknown,
): { readonly done: boolean } {
  const state = { begun: false, done: false };
  registry.gate(async (...request) => {
    if (state.begun || !isIt(...request)) return;
    state.begun = true;
    await action();
    state.done = true;
  });
  return state;
}

/** Requests of the life of what a daemon pushes. */
const MOMENTS: Readonly<Record<string, (...request: Parameters<Gate>) => boolean>> = {
  "its layers come": (request, { pathname }) =>
    isDaemon(request) && pathname.includes("/shop/blobs/uploads/"),
  "its tag comes": ({ method }, { pathname }) => method === "PUT" && pathname.includes("spare-"),
  "it is looked at": (request, { pathname }) =>
    !isDaemon(request) && request.method === "GET" && pathname.includes("/shop/manifests/sha256:"),
  "its stage comes": ({ method }, { pathname }) =>
    method === "PUT" && pathname.includes("/manifests/dimgstage-"),
};

const cleanup = ({ dir, home }: TestProject, repo: string): EngineJob => ({
  options: { dir, home },
  steps: [["cleanup", { repo, stages: "unneeded" }]],
});

const spares = async ({ registry }: Site) =>
  Object.entries(await registry.tags("shop")).filter(([tag]) => tag.includes("spare-"));

/** The last stage is in the registry, as it was built. */
async function requireStage({ registry }: Site, { images: [image] }: BuildResult): Promise<void> {
  const { layers } = image!.state;
  assert.equal(layers.length, 2);
  await verifyRegistry(registry.host, "shop");
  const name = `docker://${registry.host}/shop:dimgstage-${image!.signature}`;
  const { stdout } = await run(["skopeo", "inspect", "--raw", "--tls-verify=false", name]);
  const there: readonly { readonly digest: string }[] = JSON.parse(stdout).layers;
  assert.deepEqual(there.map(({ digest }) => digest), layers.map(({ digest }) => digest));
}

/** All of it is in the registry: another machine has nothing to build. */
async function requireWhole(site: Site, built: BuildResult): Promise<void> {
  const { project, registry, options } = site;
  registry.gate(() => {});
  await requireStage(site, built);
  const [image] = built.images;
  const taken = await build(twin(project), { repo: options.repo });
  assert.equal(taken.stagesBuilt, 0);
  assert.equal(taken.images[0]!.digest, image!.digest);
}

for (const [moment, isIt] of Object.entries(MOMENTS)) {
  Deno.test(`a cleanup takes nothing from a build whose layers are under a spare tag: ${moment}`, async (t) => {
    await each(t, async (site) => {
      const { project, registry, options } = site;
      const job = cleanup(twin(project), options.repo);
      const cleaned = once(registry, isIt, async () => {
        const end = await endOf(startEngine(job));
        assert.equal(end.outcome, "done", JSON.stringify(end));
      });
      const built = await build(project, options);
      assert.ok(cleaned.done);
      await requireWhole(site, built);
      assert.deepEqual(await spares(site), []);
    });
  });

  Deno.test(`a build that is killed and cleaned up after is finished by the next one: ${moment}`, async (t) => {
    await each(t, async (site) => {
      const { project: { dir, home }, registry, options, project } = site;
      const child = startEngine({ options: { dir, home, ...options }, steps: [["build"]] });
      const killed = once(registry, isIt, () => kill(child, "SIGKILL"));
      assert.equal((await endOf(child)).outcome, "killed");
      assert.ok(killed.done);
      const end = await endOf(startEngine(cleanup(project, options.repo)));
      assert.equal(end.outcome, "done", JSON.stringify(end));
      await requireWhole(site, await build(project, options));
    });
  });
}

for (const isKilled of [false, true]) {
  const how = isKilled ? "is killed" : "goes on";
  Deno.test(`a build stands on a stage that a cleanup is about to remove, which then ${how}`, async (t) => {
    await each(t, async (site) => {
      const { project, registry, options } = site;
      await build(twin(project), options);
      const cleaner = startEngine(cleanup(project, options.repo));
      const ended = endOf(cleaner);
      const [reached, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      // It has said what will go, waited for builds to hear of it, and now removes.
      once(registry, ({ method }, { pathname }) => {
        return method !== "GET" && method !== "HEAD" && pathname.includes("/manifests/dimgstage-");
      }, () => {
        reached.resolve();
        return held.promise;
      });
      await Promise.race([reached.promise, ended.then((end) => assert.fail(JSON.stringify(end)))]);
      const building = build(project, options);
      const waits = () =>
        project.events.some((e) => e.type === "note" && /^A cleanup of .* is about/.test(e.text));
      if (isKilled) kill(cleaner, "SIGKILL");
      else await Promise.race([building, until(waits)]).finally(held.resolve);
      held.resolve(); // what it had sent takes effect soon, or never
      assert.equal((await ended).outcome, isKilled ? "killed" : "done");
      // Other machines take nothing that a mark condemns, until it ends.
      await (isKilled ? requireStage : requireWhole)(site, await building);
    });
  });
}

for (const moment of ["it is looked at", "its stage comes"]) {
  Deno.test(`a spare tag that is forgotten with its layers costs no stage: ${moment}`, async (t) => {
    await each(t, async (site) => {
      const { project, registry, options } = site;
      const forgotten = once(registry, MOMENTS[moment]!, async () => {
        for (const [, digest] of await spares(site)) await registry.remove("shop", digest);
        await registry.collect();
      });
      const built = await build(project, options);
      assert.ok(forgotten.done);
      await requireWhole(site, built);
    });
  });
}

Deno.test("a base whose tag moves while a daemon takes it is the one that was found", async (t) => {
  await using origin = new MemoryRegistry();
  await each(t, async ({ project, options }) => {
    const found = origin.tagsOf("base")["1"]!;
    const [layer] = origin.documentOf("base", found)!.layers!;
    let moved = false;
    origin.fault((request) => {
      if (!moved && isDaemon(request)) {
        moved = true;
        origin.addImage("base", "1");
      }
      return undefined;
    }, Infinity);
    const built = await build(project, options);
    assert.ok(moved);
    assert.notEqual(origin.tagsOf("base")["1"], found);
    assert.equal(built.images[0]!.state.layers[0]!.digest, layer!.digest);
  }, origin);
});
