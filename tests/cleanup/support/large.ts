import { type Digest, digestOf, type StageChain } from "../../../core/contract/plugin.ts";
import { MemoryRegistry } from "./memory_registry.ts";
import { DAY, HOUR, putImage, putMarker, putStage, sig } from "./publish.ts";

export interface ImageRow {
  /** `repository:tag` */
  readonly key: string;
  readonly dimg: string;
  readonly scheme: string;
  readonly value: string;
  readonly tree?: string;
  readonly ageMs: number;
  readonly needs: readonly string[];
}

export interface StageRow {
  readonly key: string;
  readonly signature: string;
  readonly previous?: string;
  readonly ageMs: number;
}

export interface Large {
  readonly registry: MemoryRegistry;
  readonly images: readonly ImageRow[];
  readonly stages: readonly StageRow[];
  readonly foreign: readonly { readonly needs: readonly string[] }[];
  /** Keys of tags without a manifest. */
  readonly broken: ReadonlySet<string>;
  readonly branches: readonly string[];
  readonly tags: readonly string[];
  readonly commits: Readonly<Record<string, string>>;
}

/** The same numbers in every run (mulberry32). */
function randomOf(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * 100 branches of which 60 exist, 300 git tags of which 250 exist, 5 dimgs of which one was renamed and one removed,
 * 4,000 stages in chains that share their lower ends, images of other projects on shared stages, damaged tags, and
 * several tags on one digest.
 */
export async function makeLarge(): Promise<Large> {
  const random = randomOf(20260301);
  const registry = new MemoryRegistry();
  const dimgs = ["api", "web", "worker", "renamed", "removed"];
  for (const dimg of dimgs) await putMarker(registry, dimg);

  const stages: StageRow[] = [];
  const tops: {
    readonly signature: string;
    readonly chain: readonly { stage: string; signature: string }[];
  }[] = [];
  const names = ["from", "install", "beforeSetup", "setup"];
  let last: { stage: string; signature: string }[] = [];
  while (stages.length < 4100) {
    // Some chains branch off from the one before.
    const shared = last.slice(0, Math.floor(random() * 4));
    const chain = [...shared];
    const ageMs = random() < 0.02 ? random() * 2 * HOUR : 3 * HOUR + random() * 90 * DAY;
    for (const stage of names.slice(shared.length)) {
      const previous = chain.at(-1)?.signature;
      const signature = await sig(`${stages.length}`);
      await putStage(registry, { name: stage, signature, ageMs, ...(previous && { previous }) });
      stages.push({ key: `:dimgstage-${signature}`, signature, ageMs, ...(previous && { previous }) });
      chain.push({ stage, signature });
    }
    tops.push({ signature: chain.at(-1)!.signature, chain });
    last = chain;
  }
  const pick = () => tops[Math.floor(random() * tops.length)]!;
  const images: ImageRow[] = [];
  const add = async (
    dimg: string,
    tag: string,
    facts: Partial<ImageRow> & { scheme: string; value: string },
  ) => {
    const chain: StageChain = [{ image: dimg, stages: pick().chain }];
    if (random() < 0.3) {
      (chain as StageChain[number][]).unshift({ image: "artifact:assets", stages: pick().chain });
    }
    const ageMs = random() < 0.01 ? HOUR : 3 * HOUR + Math.floor(random() * 60 * DAY);
    const { scheme, value, tree } = facts;
    await putImage(registry, { dimg, tag, scheme, value, chain, ageMs, ...(tree && { tree }) });
    const needs = chain.flatMap(({ stages }) => stages.map(({ signature }) => signature));
    images.push({ key: `${dimg}:${tag}`, dimg, scheme, value, ageMs, needs, ...(tree && { tree }) });
  };
  const all = (n: number, prefix: string) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
  const [branches, tags] = [all(100, "branch/"), all(300, "v")];
  const commits: Record<string, string> = {};
  for (const [n, dimg] of dimgs.entries()) {
    for (const b of dimg === "api" || n > 2 ? branches : branches.slice(0, 30)) {
      await add(dimg, b.replace("/", "-"), { scheme: "git_branch", value: b });
    }
    for (const t of tags) await add(dimg, t, { scheme: "git_tag", value: t });
    for (let i = 0; i < 780; i++) {
      const value = `${dimg}-${i}`.padEnd(40, "0");
      const tree = `tree-${value}`;
      if (random() < 0.3) commits[value] = tree;
      // Squashed: the commit is gone, another has its tree.
      else if (random() < 0.1) commits[`squash-${value}`] = tree;
      await add(dimg, `commit-${i}`, { scheme: "git_commit", value, tree });
    }
    for (let i = 0; i < 20; i++) {
      await add(dimg, `custom-${i}`, { scheme: i % 2 ? "ci" : "custom", value: `${i}` });
    }
  }
  // Retagged by hand: the manifest, and so its facts, are those of another tag.
  for (let i = 0; i < 40; i++) {
    const row = images[Math.floor(random() * images.length)]!;
    const [dimg, tag] = [row.dimg, `again-${i}`];
    const repository = registry.tags.get(dimg)!;
    repository.set(tag, repository.get(row.key.slice(row.key.indexOf(":") + 1))!);
    images.push({ ...row, key: `${dimg}:${tag}` });
  }
  const foreign: { readonly needs: readonly string[] }[] = [];
  for (let i = 0; i < 60; i++) {
    const { chain } = pick();
    await putImage(registry, { tag: `other-${i}`, project: "other", chain: [{ image: "x", stages: chain }] });
    foreign.push({ needs: chain.map(({ signature }) => signature) });
  }
  const broken = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const digest: Digest = await digestOf(`nothing ${i}`);
    registry.tags.get(dimgs[i % 5]!)!.set(`broken-${i}`, digest);
    broken.add(`${dimgs[i % 5]}:broken-${i}`);
  }
  return {
    registry,
    images,
    stages,
    foreign,
    broken,
    branches: branches.slice(0, 60),
    tags: tags.slice(0, 250),
    commits,
  };
}
