/**
 * Random worlds, cleaned up by two cleanups at once while people copy and move tags and the registry fails now and then.
 * Nothing that anybody still needs may go, and nothing of others may be touched. DAPP_WORLDS=N tries N worlds;
 * DAPP_WORLD_SCALE=20 makes each of more than 10,000 tags.
 */
import assert from "node:assert/strict";
import { type Digest, type StageChain, stageTag } from "../../core/contract/plugin.ts";
import { failed, MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, putImage, putMarker, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, fakeClock, planFor } from "./support/run.ts";
import { parseDigest } from "../../lib/oci/digest.ts";

/** 0 to 1, the same numbers for the same seed (a linear congruential generator). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const scale = Number(Deno.env.get("DAPP_WORLD_SCALE") ?? 1);

interface World {
  readonly registry: MemoryRegistry;
  /** Keys of tags that must stay as they are, with what they are at. */
  readonly stays: ReadonlyMap<string, Digest>;
  readonly branches: readonly string[];
}

/** Images of branches that exist or not, upon chains of stages that they share, beside images of others. */
async function makeWorld(random: () => number, deletion: "tag" | "manifest" | "unknown"): Promise<World> {
  const registry = new MemoryRegistry({ deletion });
  const dimgs = ["api", "web", "worker"];
  for (const dimg of dimgs) await putMarker(registry, dimg);
  const chains: StageChain[number]["stages"][] = [];
  const previous = new Map<string, string>();
  for (let n = 0; n < 120 * scale; n++) {
    const shared = (chains.at(-1) ?? []).slice(0, Math.floor(random() * 3));
    const chain = [...shared];
    for (const stage of ["from", "install", "setup"].slice(shared.length)) {
      const below = chain.at(-1)?.signature;
      const signature = await sig(`${n} ${stage} ${random()}`);
      await putStage(registry, { name: stage, signature, ...(below && { previous: below }) });
      if (below) previous.set(signature, below);
      chain.push({ stage, signature });
    }
    chains.push(chain);
  }
  const branches = Array.from({ length: 60 * scale }, (_, n) => `b${n}`);
  const needed = new Set<string>();
  const kept: string[] = [];
  const add = async (dimg: string, tag: string, row: { scheme: string; value: string; project?: string }) => {
    const stages = chains[Math.floor(random() * chains.length)]!;
    await putImage(registry, {
      dimg,
      tag,
      version: tag,
      ...row,
      chain: [{ image: dimg, stages }],
      ageMs: DAY,
    });
    const stays = row.project === "other" || row.scheme === "custom" || Number(row.value.slice(1)) % 2 === 0;
    if (!stays) return;
    kept.push(`${dimg}:${tag}`);
    for (const { signature } of stages) needed.add(signature);
  };
  for (const dimg of dimgs) {
    for (const value of branches) await add(dimg, value, { scheme: "git_branch", value });
    for (let n = 0; n < 6; n++) await add(dimg, `nightly-${n}`, { scheme: "custom", value: `n${n}` });
    for (let n = 0; n < 8; n++) {
      await add(dimg, `theirs-${n}`, { scheme: "git_branch", value: "gone", project: "other" });
    }
  }
  for (const signature of needed) {
    for (let at: string | undefined = signature; at; at = previous.get(at)) kept.push(`:${stageTag(at)}`);
  }
  const state = registry.state();
  const stays = new Map(kept.map((key) => [key, state[key]!]));
  return { registry, stays, branches: branches.filter((_, n) => n % 2 === 0) };
}

const worlds = Number(Deno.env.get("DAPP_WORLDS") ?? 3);
const ways = ["manifest", "unknown", "tag"] as const;

for (let seed = 1; seed <= worlds; seed++) {
  const deletion = ways[seed % ways.length]!;
  Deno.test(`two cleanups at once, copies by hand and faults: nothing is lost (world ${seed}, ${deletion})`, async () => {
    const random = randomOf(seed);
    const { registry, stays, branches } = await makeWorld(random, deletion);
    registry.inseparable = deletion === "manifest" && seed % 2 === 0;
    const git = { branches };
    const plan = await planFor(registry, { git });
    const going = new Set(deletedBy(plan));
    assert.ok(going.size > 100, `${going.size}`);
    for (const key of stays.keys()) assert.ok(!going.has(key), key);

    const byHand = new Map<string, Digest>();
    /** Copies a tag, as far as it is there, to a new name or over one of others. */
    const copy = () => {
      const dimg = ["api", "web", "worker"][Math.floor(random() * 3)]!;
      const tags = registry.tags.get(dimg)!;
      const names = [...tags.keys()];
      const from = names[Math.floor(random() * names.length)]!;
      const digest = tags.get(from)!;
      const to = random() < 0.3 ? `theirs-${Math.floor(random() * 8)}` : `mine-${byHand.size}`;
      tags.set(to, digest);
      byHand.set(`${dimg}:${to}`, digest);
    };
    registry.fault = async (operation, _, reference) => {
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, 0));
      if (random() < 0.03) copy();
      const service = reference.startsWith("dappservice-");
      if (!service && operation !== "list" && random() < 0.01) throw failed(`${operation} answered 500`, 500);
    };
    const clock = fakeClock();
    const run = async () => {
      try {
        return await applyFor(registry, plan, { clock, parallel: 4 });
      } catch {
        // A look at all of REPO that fails ends a run; it can be started again.
        return undefined;
      }
    };
    const reports = await Promise.all([run(), run()]);
    registry.fault = undefined;
    await applyFor(registry, plan, { clock });

    const state = registry.state();
    const repositoryOf = (key: string) => key.slice(0, key.lastIndexOf(":"));
    for (const [key, digest] of [...stays, ...byHand]) {
      const wanted = byHand.get(key) ?? digest;
      assert.equal(state[key], wanted, `${key} is lost`);
      assert.ok(registry.manifests.get(repositoryOf(key))!.has(wanted), `${key} names nothing`);
    }
    for (const report of reports) {
      for (const { reference, outcome } of report?.tags ?? []) {
        if (outcome !== "deleted") continue;
        const key = reference.slice(plan.repo.length).replace(/^\//, "");
        assert.ok(going.has(key), `${key} was not to go`);
      }
    }
    // What hands and faults have not spared is gone, and so is the space that it took.
    const left = [...going].filter((key) => key in state);
    assert.ok(left.length < going.size / 2, `${left.length} of ${going.size}`);
    if (deletion === "tag") return;
    for (const [name, manifests] of registry.manifests) {
      const used = new Set(registry.tags.get(name)!.values());
      const untagged = [...manifests.keys()].filter((digest) => !used.has(parseDigest(digest)));
      assert.ok(untagged.length < manifests.size / 2, `${untagged.length} of ${manifests.size} in "${name}"`);
    }
  });
}
