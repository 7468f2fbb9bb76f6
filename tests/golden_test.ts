/**
 * Golden cases: folders of `tests/golden/` with a dappfile, the world around it (`world.yaml`) and what the engine made
 * of it: plans, signatures with the facts behind them, layers and manifests. Everything is the same on every machine.
 *
 * `UPDATE_GOLDEN=1` writes the expected files anew. A signature or layer that changes needs a reason: stages that were
 * built before are not found again, or are found and hold something else (then the version of that kind of stage must be
 * raised).
 */
import assert from "node:assert/strict";
import { createEngine, type Digest, type Plan } from "../mod.ts";
import {
  type BuildSpec,
  commit,
  createWorld,
  gitEnv,
  readWorld,
  type World,
} from "./support/golden_world.ts";
import { isRoot, peer } from "./support/peers.ts";
import { withTempDir } from "./support/tmp.ts";

const folder = new URL("./golden", import.meta.url).pathname;
const update = Deno.env.get("UPDATE_GOLDEN") === "1";

/** What one build gave, in three documents. */
interface Outcome {
  readonly plan: unknown;
  readonly signatures: unknown;
  readonly layers: unknown;
}

/** The file of a stage in the store, as far as it is looked at here. */
interface Stage {
  readonly facts: readonly { readonly key: string; readonly value: string }[];
  readonly image: { readonly layers: readonly { readonly digest: Digest; readonly diffId: Digest }[] };
}

for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const dir = `${folder}/${name}`;
  const world = await readWorld(dir);
  Deno.test(`golden ${name}: ${world.about}`, async () => {
    await withTempDir(async (root) => {
      const tools = world.commands ? await shellTools(root) : undefined;
      const complete = !world.commands || tools !== undefined;
      const outcomes = await runSteps(root, dir, world, { TOOLS: tools ?? "/nowhere" }, complete);
      for (const part of ["plan", "signatures", "layers"] as const) {
        if (part !== "signatures" && !complete) continue;
        await compare(
          `${dir}/expected.${part}.json`,
          Object.fromEntries(outcomes.map(([k, v]) => [k, v[part]])),
          complete,
        );
      }
    });
  });
}

async function runSteps(
  root: string,
  caseDir: string,
  world: World,
  env: Readonly<Record<string, string>>,
  complete: boolean,
): Promise<[string, Outcome][]> {
  await createWorld(root, caseDir, world);
  const outcomes: [string, Outcome][] = [];
  for (const step of world.steps) {
    await commit(root, `${root}/project`, step);
    const builds = step.builds ?? [{}];
    for (const [i, spec] of builds.entries()) {
      const home = spec.cold ? `${root}/home-${step.name}-${i}` : `${root}/home`;
      const title = builds.length === 1 ? step.name : `${step.name} ${i + 1}`;
      outcomes.push([
        title,
        await runBuild(root, home, spec, { ...env, WORLD: root }, complete),
      ]);
    }
  }
  return outcomes;
}

async function runBuild(
  root: string,
  home: string,
  spec: BuildSpec,
  env: Readonly<Record<string, string>>,
  complete: boolean,
): Promise<Outcome> {
  await using engine = createEngine({
    dir: `${root}/project`,
    home,
    platform: spec.platform ?? "linux/amd64",
    env: { PATH: Deno.env.get("PATH"), HOME: "/nonexistent", ...gitEnv, ...env, ...spec.env },
  });
  const plan = await engine.plan();
  const { images } = complete ? await engine.build() : { images: [] };
  return {
    plan: planRows(plan),
    signatures: await signatureRows(plan, home),
    layers: Object.fromEntries(images.map(({ name, digest, state }) => [
      name,
      {
        manifest: digest,
        layers: state.layers.map(({ diffId, digest, size }) => ({ diffId, digest, size })),
      },
    ])),
  };
}

function planRows({ project, platform, images }: Plan) {
  const rows = images.map(({ kind, name, stages }) => [
    `${kind} ${name}`,
    Object.fromEntries(stages.map(({ stage, state, reason, hermetic }) => [
      stage,
      `${state}: ${reason}${hermetic ? "" : " (not hermetic)"}`,
    ])),
  ]);
  return { project, platform, images: Object.fromEntries(rows) };
}

/** Signatures by image and stage; with the facts of stages that were built. */
async function signatureRows({ images }: Plan, home: string) {
  const rows = images.map(async ({ kind, name, stages }) => {
    const known = stages.map(async (
      { stage, signature },
    ) => [stage, { signature, ...await factsOf(home, signature) }]);
    return [`${kind} ${name}`, Object.fromEntries(await Promise.all(known))];
  });
  return Object.fromEntries(await Promise.all(rows));
}

async function factsOf(home: string, signature: string) {
  try {
    const { facts, image }: Stage = JSON.parse(await Deno.readTextFile(`${home}/stages/${signature}`));
    const layers = image.layers.map(({ diffId }) => diffId);
    return { facts: Object.fromEntries(facts.map(({ key, value }) => [key, value])), layers };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

async function compare(file: string, actual: unknown, complete: boolean): Promise<void> {
  if (update && complete) return await Deno.writeTextFile(file, JSON.stringify(actual, null, 2) + "\n");
  const text = await Deno.readTextFile(file);
  const expected: unknown = JSON.parse(text, complete ? undefined : withoutFacts);
  const message =
    `${file} says something else. If the change is meant: UPDATE_GOLDEN=1 deno test -A tests/golden_test.ts`;
  try {
    assert.deepEqual(JSON.parse(JSON.stringify(actual)), expected);
  } catch (error) {
    throw new Error(message, { cause: error });
  }
}

/** Leaves out what only a build tells. */
function withoutFacts(key: string, value: unknown): unknown {
  return key === "facts" || key === "layers" ? undefined : value;
}

/**
 * A directory with a shell, which the cases mount at /bin: mounts are not signed and not in layers, so whose busybox it
 * is makes no difference. Undefined, after a line that says so, where the native builder cannot run amd64 commands.
 */
async function shellTools(root: string): Promise<string | undefined> {
  const busybox = await peer("busybox");
  if (busybox === undefined || !isRoot()) return undefined;
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    Deno.stderr.writeSync(
      new TextEncoder().encode("[not linux/amd64: commands of golden cases are left out]\n"),
    );
    return undefined;
  }
  const dir = `${root}/tools`;
  await Deno.mkdir(dir);
  await Deno.copyFile(busybox, `${dir}/busybox`);
  await Deno.chmod(`${dir}/busybox`, 0o755);
  for (
    const name of [
      "sh",
      "cat",
      "chmod",
      "chown",
      "cp",
      "ln",
      "mkdir",
      "mkfifo",
      "mknod",
      "mv",
      "rm",
      "touch",
      "printf",
    ]
  ) {
    await Deno.symlink("busybox", `${dir}/${name}`);
  }
  return dir;
}
