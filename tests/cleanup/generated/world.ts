/** Generated worlds for cleanups: what a registry, a git repository and a cluster have, in the words of docs/cleanup.md. */

/** Numbers of commits, stages and manifests are their places in the lists of the world. */
export interface World {
  readonly seed: number;
  readonly naming: "nested" | "flat";
  readonly git: GitWorld;
  readonly stages: readonly StageNode[];
  readonly manifests: readonly Manifest[];
  readonly tags: readonly Tag[];
  /** Stages that a build has a lease on at this moment. */
  readonly leased: readonly number[];
  readonly settings: Settings;
  readonly request: { readonly stages: "none" | "unneeded"; readonly dimgs?: readonly string[] };
}

/** `fork`: `origin` is another repository. `alone`: no remote. `none`: no repository. */
export type Clone = "full" | "stale" | "shallow" | "alone" | "none" | "fork";

export interface GitWorld {
  readonly clone: Clone;
  readonly commits: readonly { readonly parents: readonly number[]; readonly tree: number }[];
  readonly branches: ReadonlyMap<string, number>;
  readonly tags: ReadonlyMap<string, number>;
  /** Branches and tags of which images were made, and which the remote has no more. */
  readonly goneBranches: ReadonlyMap<string, number>;
  readonly goneTags: ReadonlyMap<string, number>;
}

export interface StageNode {
  readonly project: string;
  readonly previous?: number;
  /** Nobody finds it in REPO. */
  readonly lost: boolean;
  readonly pushedAgo: number;
}

export interface ImageFacts {
  readonly kind: "image";
  readonly project: string;
  readonly dimg: string;
  /** As it was wished. */
  readonly own: string;
  readonly scheme: string;
  readonly value: string;
  readonly commit?: number;
  /** Hours since it was published. */
  readonly age: number;
  /** Last stages of its artifacts. */
  readonly artifacts: readonly number[];
  /** Last stages for each platform; of several ones each has a manifest of its own below an index. */
  readonly platforms: readonly number[];
  /** Where it was published. */
  readonly place: { readonly repo: string; readonly name: string };
  /** Copied by a tool that drops annotations: labels of the configuration are left. */
  readonly bare: boolean;
}

export type Manifest =
  | ImageFacts
  | { readonly kind: "stage"; readonly stage: number }
  /** Somebody's, which refers to nothing of the project, or an index over images of the project. */
  | { readonly kind: "plain"; readonly children: readonly number[] }
  /** Built by somebody upon an image. */
  | { readonly kind: "upon"; readonly image: number }
  /** A signature, or a list of referrers with one. */
  | { readonly kind: "attached"; readonly to: Subject; readonly list: boolean };

/** A manifest, or the first child of its index, or one that is not in REPO. */
export interface Subject {
  readonly of: number | "unknown";
  readonly child: boolean;
}

/** A tag with what it is at. Of what is attached, the name comes from the digest, and `name` is what it ends with. */
export interface Tag {
  readonly repo: string;
  readonly name: string;
  readonly at: number;
  /** Hours since the tag was written. */
  readonly pushedAgo: number;
}

export type Policy =
  | {
    readonly use: "keep-branches";
    readonly branches?: string[];
    readonly maxAge?: number;
    readonly perBranch?: number;
  }
  | {
    readonly use: "keep-git-tags";
    readonly tags?: string[];
    readonly maxAge?: number;
    readonly last?: number;
  }
  | { readonly use: "keep-commits"; readonly maxAge?: number; readonly last?: number }
  | {
    readonly use: "keep-custom";
    readonly tags?: string[];
    readonly schemes?: string[];
    readonly maxAge?: number;
    readonly last?: number;
  }
  | {
    readonly use: "keep-semver";
    readonly line?: "minor" | "major";
    readonly perLine?: number;
    readonly lines?: number;
    readonly prereleases?: boolean;
  }
  | { readonly use: "keep-recent"; readonly within?: number }
  | { readonly use: "keep-last"; readonly count?: number; readonly tags?: string[] }
  /** Numbers of tags: by name as wished, by whole reference, by digest. */
  | {
    readonly use: "keep-listed";
    readonly own: number[];
    readonly references: number[];
    readonly digests: number[];
  }
  /** The same of what pods run; of an index by the digest of its first manifest. */
  | { readonly use: "keep-kubernetes"; readonly references: number[]; readonly digests: number[] }
  /** A plugin: keeps what was wished with "ly-1" in it. */
  | { readonly use: "plugin" };

export interface Settings {
  readonly defaults: boolean;
  readonly keep: readonly Policy[];
  /** Hours. */
  readonly grace?: number;
}

/** 0 to 1, the same numbers for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed * 0x9E3779B9 >>> 0;
  return () => {
    state = state + 0x6D2B79F5 >>> 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

const DIMGS = ["app", "web", "group/api", "", "renamed-away"];

/** What a world is made of is drawn from the seed alone. */
export function makeWorld(seed: number, size = 40): World {
  const random = randomOf(seed);
  const chance = (share: number) => random() < share;
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const some = <T>(list: readonly T[], share: number) => list.filter(() => chance(share));
  // Ages in whole days and some hours, so that no rule in days is about the very moment; no two are the same.
  let moment = 0;
  const age = () => below(chance(0.5) ? 8 : 70) * 24 + 2 + below(20) + ++moment / 1000;
  const naming = chance(0.7) ? "nested" as const : "flat" as const;
  const git = makeGit({ chance, below, pick });

  const stages: StageNode[] = [];
  for (let i = 0; i < size; i++) {
    const previous = i > 3 && chance(0.75) ? below(i) : undefined;
    stages.push({
      project: chance(0.9) ? "shop" : "blog",
      ...(previous !== undefined && { previous }),
      lost: chance(0.04),
      pushedAgo: age(),
    });
  }

  const manifests: Manifest[] = [];
  const tags: Tag[] = [];
  const taken = new Set<string>();
  const put = (tag: Tag) => {
    const key = `${tag.repo}:${tag.name}`;
    if (taken.has(key)) return false;
    taken.add(key);
    tags.push(tag);
    return true;
  };
  for (const [i, stage] of stages.entries()) {
    if (stage.lost) continue;
    manifests.push({ kind: "stage", stage: i });
    tags.push({ repo: "", name: "", at: manifests.length - 1, pushedAgo: stage.pushedAgo });
  }

  const commitOf = (map: ReadonlyMap<string, number>) => pick([...map]);
  const wish = (): Pick<ImageFacts, "own" | "scheme" | "value" | "commit"> => {
    const kind = below(10);
    if (kind < 3) {
      const [value, commit] = commitOf(chance(0.6) ? git.branches : git.goneBranches);
      return { own: value.replace("/", "-"), scheme: "git_branch", value, ...(chance(0.9) && { commit }) };
    }
    if (kind < 5) {
      const [value, commit] = commitOf(chance(0.7) ? git.tags : git.goneTags);
      return { own: value, scheme: "git_tag", value, commit };
    }
    if (kind < 7) {
      const commit = below(git.commits.length);
      return { own: `commit${commit}`, scheme: "git_commit", value: `commit${commit}`, commit };
    }
    if (kind < 8) {
      const own = `build-${below(100)}`;
      return { own, scheme: "ci", value: own };
    }
    const own = pick([
      () => `nightly-${below(30)}`,
      () => `release-${below(9)}`,
      () => `v${below(3)}.${below(3)}.${below(5)}${chance(0.2) ? "-rc.1" : ""}`,
      () => pick([...git.branches.keys(), ...git.goneBranches.keys()]).replace("/", "-"),
      () => "latest",
    ])();
    return { own, scheme: chance(0.9) ? "custom" : "calver", value: own };
  };
  const addImage = () => {
    const dimg = pick(DIMGS);
    const { own, ...facts } = wish();
    const project = chance(0.9) ? "shop" : "blog";
    const single = chance(0.06);
    const place = dimg === "" || single
      ? { repo: "", name: own }
      : naming === "flat"
      ? { repo: "", name: `${dimg.replace("/", "-")}-${own}` }
      : { repo: dimg, name: own };
    // The names of flat images begin with the dimg's as it is, so it has none that a tag cannot have.
    const name = naming === "flat" ? dimg.replace("/", "-") : dimg;
    const hours = age();
    const image: ImageFacts = {
      kind: "image",
      project,
      dimg: name,
      own,
      ...facts,
      age: hours,
      platforms: [below(stages.length), ...chance(0.2) ? [below(stages.length)] : []],
      artifacts: chance(0.4) ? [below(stages.length)] : [],
      place,
      bare: false,
    };
    manifests.push(image);
    return put({ repo: place.repo, name: place.name, at: manifests.length - 1, pushedAgo: hours });
  };
  while (tags.length < stages.length + size) {
    if (!addImage()) continue;
  }

  // What people and other tools did.
  const published = tags.filter(({ at }) => manifests[at]!.kind === "image");
  const repos = naming === "flat" ? [""] : ["", ...DIMGS.filter((name) => name !== "")];
  for (const from of some(published, 0.15)) {
    const source = manifests[from.at] as ImageFacts;
    let at = from.at;
    const bare = chance(0.2);
    if (bare) at = manifests.push({ ...source, bare }) - 1;
    // Mostly to another name; the same one where it is another repository.
    const repo = chance(0.7) ? from.repo : pick(repos);
    const name = repo !== from.repo && chance(0.6) ? from.name : `hand-${below(1000)}`;
    put({ repo, name, at, pushedAgo: chance(0.5) ? from.pushedAgo : from.pushedAgo / 2 });
  }
  for (const from of some(published, 0.05)) {
    const image = from.at;
    if ((manifests[image] as ImageFacts).platforms.length > 1) continue;
    const at = manifests.push({ kind: "upon", image }) - 1;
    put({ repo: from.repo, name: `upon-${below(1000)}`, at, pushedAgo: age() });
  }
  for (const repo of repos) {
    const here = published.filter((tag) => tag.repo === repo);
    if (here.length > 0 && chance(0.4)) {
      const children = Array.from({ length: 1 + below(3) }, () => pick(here).at);
      const at = manifests.push({ kind: "plain", children: [...new Set(children)] }) - 1;
      put({ repo, name: `joined-${below(1000)}`, at, pushedAgo: age() });
    }
    if (chance(0.5)) {
      const at = manifests.push({ kind: "plain", children: [] }) - 1;
      put({ repo, name: `foreign-${below(1000)}`, at, pushedAgo: age() });
    }
  }
  const stageTags = tags.filter(({ at }) => manifests[at]!.kind === "stage");
  for (const from of some(stageTags, 0.03)) {
    put({ repo: "", name: `debug-${below(1000)}`, at: from.at, pushedAgo: age() });
  }

  const attach = (to: Subject, repo: string) => {
    const list = chance(0.3);
    const at = manifests.push({ kind: "attached", to, list }) - 1;
    const name = list ? "" : pick([".sig", ".att", ".sbom"]);
    put({ repo, name: `${JSON.stringify(to)}${name}`, at, pushedAgo: age() });
    return at;
  };
  for (const tag of some(tags, 0.12)) {
    const of = manifests[tag.at]!;
    const isIndex = of.kind === "image" && of.platforms.length > 1 ||
      of.kind === "plain" && of.children.length > 0;
    const at = attach({ of: tag.at, child: isIndex && chance(0.4) }, tag.repo);
    if (chance(0.3)) attach({ of: at, child: false }, tag.repo);
  }
  if (chance(0.5)) attach({ of: "unknown", child: false }, "");

  const images = tags.flatMap((tag, i) => manifests[tag.at]!.kind === "image" ? [i] : []);
  const settings = makeSettings({ chance, below, pick, some }, images);
  const shop = manifests.flatMap((each) =>
    each.kind === "image" && each.project === "shop" && each.dimg !== "" ? [each.dimg] : []
  );
  return {
    seed,
    naming,
    git,
    stages,
    manifests,
    tags,
    leased: some(stages.flatMap((stage, i) => stage.lost ? [] : [i]), 0.04),
    settings,
    request: {
      stages: chance(0.85) ? "unneeded" : "none",
      ...(chance(0.1) && { dimgs: [pick(shop)] }),
    },
  };
}

interface Draws {
  chance(share: number): boolean;
  below(n: number): number;
  pick<T>(list: readonly T[]): T;
}

function makeGit({ chance, below, pick }: Draws): GitWorld {
  const commits: { parents: number[]; tree: number }[] = [];
  const commit = (parents: number[], tree = commits.length) => commits.push({ parents, tree }) - 1;
  const branches = new Map<string, number>();
  const goneBranches = new Map<string, number>();
  const [tags, goneTags] = [new Map<string, number>(), new Map<string, number>()];
  let main = commit([]);
  for (let i = 0; i < 6; i++) {
    main = commit([main]);
    if (!chance(0.8)) continue;
    const gone = chance(0.35);
    let tip = main;
    for (let n = below(3); n >= 0; n--) tip = commit([tip]);
    (gone ? goneBranches : branches).set(pick(["feature/", "fix-", "f/"]) + i, tip);
    // A merge, or a squash that has the files of the branch alone.
    if (chance(0.3)) main = commit([main, tip]);
    else if (chance(0.4)) main = commit([main], commits[tip]!.tree);
  }
  for (let i = 0; i < 9; i++) {
    const on = chance(0.8) ? main - below(3) : below(commits.length);
    (chance(0.8) ? tags : goneTags).set(`v${below(3)}.${below(3)}.${i}`, Math.max(0, on));
  }
  branches.set("main", main);
  goneBranches.set("long-gone", commit([main]));
  if (goneTags.size === 0) goneTags.set("v0.0.99", main);
  if (tags.size === 0) tags.set("v9.0.0", main);
  const clone = pick<Clone>([
    "full",
    "full",
    "full",
    "stale",
    "stale",
    "shallow",
    "shallow",
    "alone",
    "none",
    "fork",
  ]);
  return { clone, commits, branches, tags, goneBranches, goneTags };
}

function makeSettings(
  { chance, below, pick, some }: Draws & { some<T>(list: readonly T[], share: number): T[] },
  images: readonly number[],
): Settings {
  const days = () => (1 + below(40)) * 24;
  const maxAge = (share: number) => chance(share) && { maxAge: days() };
  const last = (share: number) => chance(share) && { last: 1 + below(5) };
  const patterns =
    () => [pick(["nightly-*", "release-*", "v*", "build-?", "*-1*", "app-*", "web-v*", "latest"])];
  const one = (): Policy =>
    pick<() => Policy>([
      () => ({
        use: "keep-branches",
        ...(chance(0.4) && { branches: [pick(["f*", "main", "*/*", "fix-?"])] }),
        ...maxAge(0.5),
        ...(chance(0.4) && { perBranch: 1 }),
      }),
      () => ({
        use: "keep-git-tags",
        ...(chance(0.4) && { tags: [pick(["v1.*", "v?.0.*"])] }),
        ...maxAge(0.7),
        ...last(0.7),
      }),
      () => ({ use: "keep-commits", ...maxAge(0.7), ...last(0.7) }),
      () => ({
        use: "keep-custom",
        ...(chance(0.6) && { tags: patterns() }),
        ...(chance(0.3) && { schemes: [pick(["ci", "custom", "cal*", "git_branch"])] }),
        ...maxAge(0.5),
        ...last(0.5),
      }),
      () => ({
        use: "keep-semver",
        ...(chance(0.5) && { line: "major" as const }),
        ...(chance(0.6) && { perLine: 1 + below(2) }),
        ...(chance(0.5) && { lines: 1 + below(2) }),
        ...(chance(0.4) && { prereleases: true }),
      }),
      () => ({ use: "keep-recent", within: days() / 4 }),
      () => ({ use: "keep-last", count: 1 + below(3), ...(chance(0.4) && { tags: patterns() }) }),
      () => ({
        use: "keep-listed",
        own: some(images, 0.03),
        references: some(images, 0.03),
        digests: some(images, 0.03),
      }),
      () => ({ use: "keep-kubernetes", references: some(images, 0.04), digests: some(images, 0.04) }),
      () => ({ use: "plugin" }),
    ])();
  const keep = Array.from({ length: below(5) }, one);
  // One list, one cluster and one plugin are enough.
  const single = ["keep-listed", "keep-kubernetes", "plugin"];
  return {
    defaults: keep.length === 0 || chance(0.5),
    keep: keep.filter(({ use }, i) =>
      !single.includes(use) || keep.findIndex((each) => each.use === use) === i
    ),
    ...(chance(0.3) && { grace: days() }),
  };
}
