/**
 * Generated worlds, cleaned up by the engine: exactly what docs/cleanup.md says goes (`generated/oracle.ts`, which shares no
 * code with dapp), the plan says it before, and everything else stays whole; also when runs are killed, when two are at
 * work, and when people change tags meanwhile. DAPP_WORLDS=N tries N worlds of each kind, DAPP_WORLD=SEED one.
 */
import assert from "node:assert/strict";
import { goingOf } from "./generated/oracle.ts";
import {
  endCluster,
  gitlabTarget,
  harborTarget,
  lostOf,
  manifestsOf,
  onRequest,
  plainTarget,
  short,
  splitName,
  type Standing,
  type Target,
  withWorld,
} from "./generated/run.ts";
import { makeWorld, randomOf } from "./generated/world.ts";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import type { CleanupPlan } from "../../core/cleanup/plan.ts";

const worlds = Number(Deno.env.get("DAPP_WORLDS") ?? 2);
const only = Deno.env.get("DAPP_WORLD");
const seeds = only ? [Number(only)] : Array.from({ length: worlds }, (_, i) => i + 1);

const kinds: Readonly<Record<string, () => Promise<Target> | Target>> = {
  manifests: () => plainTarget("manifests"),
  tags: () => plainTarget("tags"),
  greedy: () => plainTarget("greedy"),
  harbor: harborTarget,
  gitlab: gitlabTarget,
};

/** A test for each world and kind of registry, with what is to go. */
function eachWorld(title: string, body: (standing: Standing, wanted: ReadonlySet<string>) => Promise<void>) {
  for (const seed of seeds) {
    for (const [kind, start] of Object.entries(kinds)) {
      Deno.test(`${title} (world ${seed}, ${kind})`, async () => {
        await using _ = { [Symbol.asyncDispose]: endCluster };
        await using target = await start();
        const world = makeWorld(seed);
        await withWorld(world, target, async (standing) => {
          const names = [...goingOf(world, target.tells)].map((n) => standing.names[n]!);
          await body(standing, new Set(names));
        });
      });
    }
  }
}

function requestOf({ world: { request }, repo }: Standing) {
  return { repo, stages: request.stages, ...(request.dimgs && { patterns: request.dimgs }) };
}

function goingBy(plan: CleanupPlan): ReadonlySet<string> {
  const going = plan.tags.filter(({ verdict }) => verdict === "delete");
  return new Set(going.map(({ reference }) => short(plan.repo, reference)));
}

function without(state: Readonly<Record<string, string>>, names: ReadonlySet<string>) {
  return Object.fromEntries(Object.entries(state).filter(([name]) => !names.has(name)));
}

/** The state after a cleanup; nothing is lost, and no manifest is left of what went. `tagged` had tags before. */
function assertClean(
  standing: Standing,
  wanted: Readonly<Record<string, string>>,
  tagged: ReadonlySet<string>,
): void {
  assert.deepEqual(standing.state(), wanted);
  assert.deepEqual(lostOf(standing), []);
  const left = manifestsOf(standing, "all").difference(manifestsOf(standing, "tagged"));
  assert.deepEqual([...left.intersection(tagged)].map((place) => describe(standing, place)), []);
}

/** It collects what has no tag. */
function isGitlab({ repo }: Standing): boolean {
  return repo.endsWith("/group/project");
}

/** A manifest with what it was in the world. */
function describe({ names, digests, children }: Standing, place: string): string {
  const was = names.filter((name, n) => place === `${splitName(name)[0]}@${digests[n]}`);
  const below = [...children].filter(([, parts]) => parts.some((part) => place.endsWith(part)));
  return `${place} ${was.join(", ")}${below.map(([n]) => ` below manifest ${n}`).join("")}`;
}

eachWorld("a cleanup does what the documentation says, and what its plan says", async (standing, wanted) => {
  const { repo, state } = standing;
  const [before, tagged] = [state(), manifestsOf(standing, "tagged")];
  await using engine = standing.engine();
  const plan = await engine.planCleanup(requestOf(standing));
  const planned = goingBy(plan);
  const why = (name: string) => {
    const row = plan.tags.find(({ reference }) => short(repo, reference) === name);
    return `${name} ${row?.rule}: ${row?.why}`;
  };
  assert.deepEqual([
    ...[...wanted.difference(planned)].map((name) => `should go: ${why(name)}`),
    ...[...planned.difference(wanted)].map((name) => `should stay: ${why(name)}`),
  ], []);
  assert.deepEqual(state(), before);
  const report = await engine.applyCleanup(plan);
  assert.deepEqual([report.outcome, report.message], ["complete", undefined]);
  assertClean(standing, without(before, wanted), isGitlab(standing) ? new Set() : tagged);
  // What is remembered says the same as what was read.
  const again = await engine.planCleanup(requestOf(standing));
  assert.deepEqual([...goingBy(again)], []);
});

eachWorld(
  "a cleanup that is killed loses nothing, and the next one comes to the same end",
  async (standing, wanted) => {
    const { target, world, state } = standing;
    const before = state();
    const random = randomOf(world.seed + 1000);
    let dies: { readonly at: number; readonly controller: AbortController } | undefined;
    let count = 0;
    onRequest(target, () => {
      if (!dies || ++count < dies.at) return undefined;
      dies.controller.abort(new Error("killed"));
      // A dead process asks for nothing more.
      return Response.json({ errors: [{ code: "DEAD", message: "nobody asks this" }] }, { status: 400 });
    });
    // Requests of whole runs differ; most kills are while tags go.
    for (const share of [0.2, 0.6, 0.9, 1.3, 2]) {
      dies = undefined;
      const controller = new AbortController();
      await using engine = standing.engine({ signal: controller.signal });
      try {
        const plan = await engine.planCleanup(requestOf(standing));
        count = 0;
        dies = { at: Math.ceil(share * random() * 4 * goingBy(plan).size), controller };
        await engine.applyCleanup(plan);
      } catch (error) {
        if (!controller.signal.aborted) throw error;
      }
      dies = undefined;
      for (const [name, digest] of Object.entries(without(before, wanted))) {
        assert.equal(
          state()[name],
          digest,
          name,
        );
      }
      assert.deepEqual(lostOf(standing), []);
    }
    await using engine = standing.engine();
    const report = await engine.applyCleanup(await engine.planCleanup(requestOf(standing)));
    assert.deepEqual([report.outcome, report.message], ["complete", undefined]);
    // What was attached to parts of what went may stay, since nobody knows any more what it belonged to.
    const left = Object.entries(without(before, wanted)).filter(([name]) => !name.includes(":sha256-"));
    const there = Object.entries(state()).filter(([name]) => !name.includes(":sha256-"));
    assert.deepEqual(Object.fromEntries(there), Object.fromEntries(left));
    assert.deepEqual(lostOf(standing), []);
  },
);

eachWorld("two cleanups at once, from two machines, come to the end of one", async (standing, wanted) => {
  const before = standing.state();
  const tagged = manifestsOf(standing, "tagged");
  const one = async (home: string) => {
    await using engine = standing.engine({}, home);
    const report = await engine.applyCleanup(await engine.planCleanup(requestOf(standing)));
    assert.deepEqual([report.outcome, report.message], ["complete", undefined]);
  };
  await Promise.all([one("a"), one("b")]);
  assertClean(standing, without(before, wanted), isGitlab(standing) ? new Set() : tagged);
});

eachWorld(
  "a plan from a file spares what people changed since, and all that belongs to it",
  async (standing) => {
    const { target: { registry, base }, world, state } = standing;
    const random = randomOf(world.seed + 2000);
    await using engine = standing.engine();
    const made = await engine.planCleanup(requestOf(standing));
    const plan = await parsePlan(JSON.stringify(made));
    const images = plan.tags.filter(({ kind, verdict }) => kind === "image" && verdict === "delete");
    const pathOf = (repository: string) => repository === "" ? base : `${base}/${repository}`;
    const put = async (repository: string, digest: string, tag: string) => {
      const document = registry.documentOf(pathOf(repository), digest) as { mediaType: string };
      await registry.addManifest(pathOf(repository), document, tag);
    };
    const changed = new Set<string>();
    for (const [i, { repository, tag, digest }] of images.entries()) {
      const what = Math.floor(random() * 6);
      // Copied to a new name; moved to another image; an index made of it.
      if (what === 0) {
        await put(repository, digest!, `copy-${i}`);
        changed.add(`${repository}:copy-${i}`);
      }
      if (what === 1) {
        const other = Object.values(registry.tagsOf(pathOf(repository)))[0]!;
        if (other === digest) continue;
        await put(repository, other, tag);
        changed.add(`${repository}:${tag}`);
      }
      if (what === 2) {
        const { mediaType } = registry.documentOf(pathOf(repository), digest!)!;
        const index = {
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [{ mediaType, digest, size: 1 }],
        };
        await registry.addManifest(pathOf(repository), index, `index-${i}`);
        changed.add(`${repository}:index-${i}`);
      }
    }
    const before = state();
    const planned = goingBy(plan);
    const mustStay = Object.entries(before).filter(([name]) => !planned.has(name) || changed.has(name));
    const report = await engine.applyCleanup(plan);
    assert.deepEqual([report.outcome, report.message], ["complete", undefined]);
    const after = state();
    for (const [name, digest] of mustStay) assert.equal(after[name], digest, name);
    assert.deepEqual(lostOf(standing), []);
    // Stages of what has stayed are there, and so is what is attached to it.
    const chains = Object.entries(after).flatMap(([name, digest]) => {
      const [repo] = splitName(name);
      const notes = registry.documentOf(pathOf(repo), digest)?.annotations?.["dapp-stages"] ?? "";
      return [...notes.matchAll(/[0-9a-f]{64}/g)].map(([signature]) => `:dimgstage-${signature}`);
    });
    const inUse = new Set(
      Object.entries(after).flatMap(([name, digest]) => {
        const [repo] = splitName(name);
        const parts = registry.documentOf(pathOf(repo), digest)?.manifests ?? [];
        return [digest, ...parts.map((part) => part.digest)].map((each) =>
          `${repo}:${each.replace(":", "-")}`
        );
      }),
    );
    const attached = Object.keys(before).filter((name) => inUse.has(name.replace(/\.[a-z]+$/, "")));
    assert.deepEqual([...chains, ...attached].filter((name) => name in before && !(name in after)), []);
    // The rest is gone.
    const spared = [...planned].filter((name) => name in after && !changed.has(name));
    const rest = spared.filter((name) => !chains.includes(name) && !attached.includes(name));
    assert.deepEqual(rest.filter((name) => !name.includes(":dimgstage-") && !name.includes(":sha256-")), []);
  },
);

eachWorld("tags that people put beside a cleanup stay, and what they are at", async (standing, wanted) => {
  const { target, world, state } = standing;
  const { registry, base } = target;
  const random = randomOf(world.seed + 3000);
  const before = state();
  const names = world.tags.flatMap(({ at }, n) =>
    world.manifests[at]!.kind === "image" ? [standing.names[n]!] : []
  );
  const mine = new Map<string, string>();
  const pathOf = (repo: string) => repo === "" ? base : `${base}/${repo}`;
  let begun = false;
  registry.fault(async ({ method }) => {
    // Between the last look and a removal nobody can help: registries have no conditional requests.
    if (!begun || method === "DELETE" || random() > 0.15) return undefined;
    const [repo, tag] = splitName(names[Math.floor(random() * names.length)]!);
    const digest = registry.tagsOf(pathOf(repo))[tag];
    const document = digest === undefined ? undefined : registry.documentOf(pathOf(repo), digest);
    // What is on its way out stands for nothing.
    if (!document || document.annotations?.["dapp-removed-tag"]) return undefined;
    const name = `mine-${mine.size}`;
    await registry.addManifest(pathOf(repo), document as { mediaType: string }, name);
    mine.set(`${repo}:${name}`, digest!);
    return undefined;
  }, Infinity);
  await using engine = standing.engine();
  const plan = await engine.planCleanup(requestOf(standing));
  begun = true;
  await engine.applyCleanup(plan);
  begun = false;
  const after = state();
  for (const [name, digest] of [...Object.entries(without(before, wanted)), ...mine]) {
    assert.equal(after[name], digest, name);
  }
  assert.deepEqual(lostOf(standing), []);
  for (const name of wanted) if (!/:(dimgstage|sha256)-/.test(name)) assert.ok(!(name in after), name);
});
