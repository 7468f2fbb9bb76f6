/**
 * What docs/cleanup.md says of a generated world, looked up the slow way and without any code of dapp. Numbers of tags
 * that go; everything else stays.
 */
import type { ImageFacts, Manifest, Policy, Tag, World } from "./world.ts";

const DAY = 24;
const DEFAULTS: readonly Policy[] = [
  { use: "keep-branches" },
  { use: "keep-git-tags" },
  { use: "keep-commits" },
  { use: "keep-custom" },
];

/** An image of the project under one of its tags, as rules see it. */
interface Row {
  readonly n: number;
  readonly tag: Tag;
  readonly facts: ImageFacts;
  /** Of a tag that was put there by hand: `custom`, and the tag itself. */
  readonly scheme: string;
  readonly value: string;
  readonly own: string;
  readonly age: number;
}

/** @param tells whether the registry says when a tag was pushed */
export function goingOf(world: World, tells: boolean): ReadonlySet<number> {
  const { manifests, tags, request } = world;
  const rows = tags.flatMap((tag, n) => {
    const facts = manifests[tag.at]!;
    return facts.kind === "image" && facts.project === "shop" ? [rowOf(n, tag, facts, world, tells)] : [];
  });
  const kept = new Set(rows.filter(({ facts }) => request.dimgs && !selected(facts.dimg)).map(({ n }) => n));
  function selected(dimg: string): boolean {
    return dimg === "" || request.dimgs!.includes(dimg);
  }
  for (const policy of policiesOf(world)) for (const { n } of keptBy(policy, rows, world)) kept.add(n);
  if (world.git.clone === "fork") {
    for (const row of rows) if (row.scheme.startsWith("git_")) kept.add(row.n);
  }
  const going = new Set(rows.map(({ n }) => n).filter((n) => !kept.has(n)));
  if (request.stages === "unneeded") {
    const needed = neededStages(world, going, tells);
    for (const [n, { at, name }] of tags.entries()) {
      const what = manifests[at]!;
      if (what.kind !== "stage" || name !== "" || world.stages[what.stage]!.project !== "shop") continue;
      if (!needed.has(what.stage)) going.add(n);
    }
  }
  // What is attached goes when everything goes that it belongs to, and something does.
  for (let before = -1; before !== going.size;) {
    before = going.size;
    for (const [n, tag] of tags.entries()) {
      const what = manifests[tag.at]!;
      if (what.kind !== "attached" || going.has(n)) continue;
      const above = tags.flatMap((other, m) =>
        m !== n && other.repo === tag.repo && standsFor(world, other.at, what.to) ? [m] : []
      );
      if (above.length > 0 && above.every((m) => going.has(m))) going.add(n);
    }
  }
  return going;
}

/** Whether a subject is a manifest, or a part of it. */
function standsFor(
  { manifests }: World,
  at: number,
  { of, child }: { of: number | "unknown"; child: boolean },
) {
  if (of === "unknown") return false;
  const what = manifests[at]!;
  if (!child) return at === of || what.kind === "plain" && what.children.includes(of);
  const whole = manifests[of]!;
  if (whole.kind !== "plain") return at === of || what.kind === "plain" && what.children.includes(of);
  // The first manifest of somebody's index is an image that may have tags of its own.
  const first = whole.children[0]!;
  return at === first || what.kind === "plain" && what.children.includes(first);
}

/** Names that dapp itself may give an image. Of those that one manifest has, the first is not by hand. */
function ownNames({ dimg, own }: ImageFacts): readonly string[] {
  return dimg === "" ? [`:${own}`] : [`${dimg}:${own}`, `:${dimg}-${own}`, `:${own}`];
}

function rowOf(n: number, tag: Tag, facts: ImageFacts, { tags }: World, tells: boolean): Row {
  const names = ownNames(facts);
  const there = names.filter((name) =>
    tags.some((other) => other.at === tag.at && `${other.repo}:${other.name}` === name)
  );
  const byHand = there[0] !== `${tag.repo}:${tag.name}`;
  const published = facts.bare ? tells ? tag.pushedAgo : 0 : facts.age;
  return {
    n,
    tag,
    facts,
    scheme: byHand ? "custom" : facts.scheme,
    value: byHand ? tag.name : facts.value,
    own: byHand ? tag.name : facts.own,
    age: byHand && tells ? Math.min(published, tag.pushedAgo) : published,
  };
}

function policiesOf({ settings: { defaults, keep } }: World): readonly Policy[] {
  const named = new Set<string>(keep.map(({ use }) => use));
  return [...keep, ...defaults ? DEFAULTS.filter(({ use }) => !named.has(use)) : []];
}

function keptBy(policy: Policy, rows: readonly Row[], world: World): readonly Row[] {
  const { git, tags } = world;
  const knowsGit = git.clone !== "none";
  const digestsOf = (list: readonly number[]) => new Set(list.map((n) => tags[n]!.at));
  switch (policy.use) {
    case "keep-branches": {
      const own = rows.filter(({ scheme }) => scheme === "git_branch");
      if (!knowsGit) return own;
      const live = own.filter(({ value }) => git.branches.has(value) && matches(policy.branches, value));
      return newest(live, policy.maxAge, policy.perBranch, ({ facts, value }) => `${facts.dimg} ${value}`);
    }
    case "keep-git-tags": {
      const own = rows.filter(({ scheme }) => scheme === "git_tag");
      if (!knowsGit) return own;
      const live = own.filter(({ value }) => git.tags.has(value) && matches(policy.tags, value));
      return newest(live, policy.maxAge ?? 30 * DAY, policy.last ?? 10);
    }
    case "keep-commits": {
      const own = rows.filter(({ scheme }) => scheme === "git_commit");
      if (!knowsGit) return own;
      const reached = reachable(world);
      const trees = new Set([...reached].map((commit) => git.commits[commit]!.tree));
      const live = own.filter(({ facts }) =>
        reached.has(facts.commit!) || trees.has(git.commits[facts.commit!]!.tree)
      );
      return newest(live, policy.maxAge ?? 30 * DAY, policy.last ?? 50);
    }
    case "keep-custom": {
      const own = rows.filter((row) =>
        (policy.schemes ? matches(policy.schemes, row.scheme) : !row.scheme.startsWith("git_")) &&
        tagMatches(policy.tags, row)
      );
      return newest(own, policy.maxAge, policy.last);
    }
    case "keep-recent":
      return rows.filter(({ age }) => age <= policy.within!);
    case "keep-last":
      return newest(rows.filter((row) => tagMatches(policy.tags, row)), undefined, policy.count ?? 10);
    case "keep-semver":
      return semver(policy, rows);
    case "keep-listed": {
      const names = new Set(policy.own.map((n) => rows.find((row) => row.n === n)?.own));
      const digests = digestsOf(policy.digests);
      return rows.filter((row) =>
        names.has(row.own) || names.has(row.tag.name) || policy.references.includes(row.n) ||
        digests.has(row.tag.at)
      );
    }
    case "keep-kubernetes": {
      const digests = digestsOf(policy.digests);
      return rows.filter((row) => policy.references.includes(row.n) || digests.has(row.tag.at));
    }
    case "plugin":
      return rows.filter(({ own }) => own.includes("ly-1"));
  }
}

/** Of each group the newest so many that are not too old. */
function newest(
  rows: readonly Row[],
  maxAge = Infinity,
  last = Infinity,
  by: (row: Row) => string = ({ facts }) => facts.dimg,
): readonly Row[] {
  return rows.filter((row) => {
    if (row.age > maxAge) return false;
    const newer = rows.filter((other) =>
      by(other) === by(row) && other.age <= maxAge &&
      (other.age < row.age || other.age === row.age && nameOf(other) < nameOf(row))
    );
    return newer.length < last;
  });
}

function nameOf({ tag: { repo, name } }: Row): string {
  return `registry.test/shop${repo === "" ? "" : `/${repo}`}:${name}`;
}

function semver(policy: Policy & { use: "keep-semver" }, rows: readonly Row[]): readonly Row[] {
  const { line = "minor", perLine = 3, lines = Infinity, prereleases = false } = policy;
  const versioned = rows.flatMap((row) => {
    const match = [row.value, row.own].map((text) => /^v?(\d+)\.(\d+)\.(\d+)(-rc\.1)?$/.exec(text)).find((
      m,
    ) => m);
    if (!match || match[4] && !prereleases) return [];
    const [major, minor, patch] = match.slice(1, 4).map(Number) as [number, number, number];
    // A prerelease comes before its version.
    const order = ((major * 100 + minor) * 100 + patch) * 2 + (match[4] ? 0 : 1);
    return [{ row, order, line: line === "major" ? major * 100 : major * 100 + minor }];
  });
  return versioned.filter((one) => {
    const same = versioned.filter((other) => other.row.facts.dimg === one.row.facts.dimg);
    const newerLines = new Set(same.filter((other) => other.line > one.line).map((other) => other.line));
    const ofLine = same.filter((other) => other.line === one.line);
    const newerVersions = new Set(
      ofLine.filter((other) => other.order > one.order).map((other) => other.order),
    );
    return newerLines.size < lines && newerVersions.size < perLine;
  }).map(({ row }) => row);
}

function reachable({ git }: World): ReadonlySet<number> {
  const found = new Set<number>();
  const visit = (commit: number) => {
    if (found.has(commit)) return;
    found.add(commit);
    git.commits[commit]!.parents.forEach(visit);
  };
  for (const commit of [...git.branches.values(), ...git.tags.values()]) visit(commit);
  return found;
}

function neededStages(world: World, going: ReadonlySet<number>, tells: boolean): ReadonlySet<number> {
  const { manifests, stages, tags } = world;
  const needed = new Set<number>();
  const all = (stage: number) => {
    for (let at: number | undefined = stage; at !== undefined; at = stages[at]!.previous) needed.add(at);
  };
  // A stage says what comes before it, as far as it is there.
  const need = (stage: number) => {
    needed.add(stage);
    const { lost, previous } = stages[stage]!;
    if (!lost && previous !== undefined) need(previous);
  };
  const needOf = (what: Manifest): void => {
    // Labels name the last stage alone, which names the others.
    if (what.kind === "image" && what.bare) what.platforms.forEach(need);
    else if (what.kind === "image") [...what.platforms, ...what.artifacts].forEach(all);
    if (what.kind === "upon") need((manifests[what.image] as ImageFacts).platforms[0]!);
    if (what.kind === "plain") { for (const child of what.children) needOf(manifests[child]!); }
    if (what.kind === "stage") need(what.stage);
  };
  for (const [n, { at, name }] of tags.entries()) {
    const what = manifests[at]!;
    // Under its own tag a stage of the project is no reason for anything.
    const own = what.kind === "stage" && name === "" && stages[what.stage]!.project === "shop";
    if (!own && !going.has(n)) needOf(what);
  }
  world.leased.forEach(need);
  const grace = world.settings.grace ?? 2;
  if (tells) {
    for (const [i, { pushedAgo, lost }] of stages.entries()) if (!lost && pushedAgo < grace) need(i);
  }
  return needed;
}

function tagMatches(patterns: readonly string[] | undefined, { own, tag }: Row): boolean {
  return matches(patterns, own) || matches(patterns, tag.name);
}

function matches(patterns: readonly string[] | undefined, text: string): boolean {
  return patterns === undefined || patterns.some((pattern) => {
    const parts = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
    return new RegExp(`^${parts}$`, "s").test(text);
  });
}
