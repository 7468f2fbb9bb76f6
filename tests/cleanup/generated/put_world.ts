/** Puts a generated world into a registry and a git repository, as builds, people and other tools do. */
import { type Digest, digestFromHex } from "../../../lib/oci/digest.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { labels, ociLabels, stageTag } from "../../../core/contract/labels.ts";
import type { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { run } from "../../support/process.ts";
import { sig } from "../support/publish.ts";
import type { ImageFacts, Manifest, World } from "./world.ts";

const HOUR = 3_600_000;

/** A world in a registry. */
export interface PutWorld {
  readonly world: World;
  /** Of each tag of the world, `repository:tag`. */
  readonly names: readonly string[];
  readonly digests: readonly Digest[];
  /** Of each manifest that has children. */
  readonly children: ReadonlyMap<number, readonly Digest[]>;
  readonly signatures: readonly string[];
}

/** Where the parts of a world go. */
export interface Place {
  readonly registry: MemoryRegistry;
  /** REPO without its host. */
  readonly base: string;
  /** Notes when a tag was pushed, where the registry tells. */
  pushed?(path: string, tag: string, time: string): void;
}

/** Ids of commits and their trees. */
export interface Commits {
  readonly ids: readonly string[];
  readonly trees: readonly string[];
}

export async function putWorld(
  world: World,
  { registry, base, pushed }: Place,
  commits: Commits,
): Promise<PutWorld> {
  const now = Date.now();
  const iso = (hours: number) => new Date(now - hours * HOUR).toISOString();
  const signatures = await Promise.all(world.stages.map((_, i) => sig(`${world.seed} ${i}`)));
  const path = (repo: string) => repo === "" ? base : `${base}/${repo}`;
  const done = new Map<string, Digest>();
  const children = new Map<number, readonly Digest[]>();

  const image = async (
    repo: string,
    salt: string,
    { annotations, config = {} }: { annotations?: Record<string, string>; config?: object },
  ) => {
    const at = path(repo);
    const bytes = (text: string) => new TextEncoder().encode(text);
    const layer = await registry.addBlob(at, bytes(`layer of ${world.seed} ${salt}`));
    const text = JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: { diff_ids: [] },
      salt,
      ...config,
    });
    const stored = await registry.addBlob(at, bytes(text));
    return {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...stored },
      layers: [{ mediaType: mediaTypes.layerGzip, ...layer }],
      ...(annotations && { annotations }),
    };
  };
  const index = (manifests: readonly Digest[], annotations?: Record<string, string>) => ({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: manifests.map((digest) => ({ mediaType: mediaTypes.manifest, digest, size: 1 })),
    ...(annotations && { annotations }),
  });
  const chain = (leaf: number) => {
    const stages = [];
    for (let at: number | undefined = leaf; at !== undefined; at = world.stages[at]!.previous) {
      stages.unshift({ stage: `s${at}`, signature: signatures[at]! });
    }
    return stages;
  };
  /** Those of labels, and those that are annotations alone. */
  const notes = (facts: ImageFacts, platform = 0) => {
    const { project, dimg, scheme, commit, platforms, artifacts } = facts;
    const common = {
      [labels.project]: project,
      [labels.dimg]: "true",
      [labels.name]: dimg,
      [labels.scheme]: scheme,
      [labels.value]: named(facts.value),
      [labels.signature]: signatures[platforms[platform]!]!,
      ...(commit !== undefined &&
        { [labels.commit]: commits.ids[commit]!, [labels.tree]: commits.trees[commit]! }),
      [ociLabels.version]: named(facts.own),
    };
    const stages = [
      ...platforms.map((leaf) => ({ image: dimg, stages: chain(leaf) })),
      ...artifacts.map((leaf, n) => ({ image: `artifact:a${n}`, stages: chain(leaf) })),
    ];
    return {
      common,
      all: { ...common, [labels.stages]: JSON.stringify(stages), [ociLabels.created]: iso(facts.age) },
    };
  };
  const named = (name: string) => name.replace(/commit(\d+)/, (_, n) => commits.ids[Number(n)]!);

  const documentOf = async (repo: string, n: number): Promise<{ readonly mediaType: string }> => {
    const what: Manifest = world.manifests[n]!;
    const salt = String(n);
    switch (what.kind) {
      case "stage": {
        const { project, previous } = world.stages[what.stage]!;
        const annotations = {
          [labels.project]: project,
          [labels.dimg]: "false",
          [labels.stage]: `s${what.stage}`,
          [labels.signature]: signatures[what.stage]!,
          ...(previous !== undefined && { [labels.previous]: signatures[previous]! }),
        };
        return await image(repo, salt, {
          annotations,
          config: { dapp: { format: 1, stages: chain(what.stage) } },
        });
      }
      case "image": {
        const { all } = notes(what);
        const history = [{ created_by: "dapp docker" }];
        const annotations = !what.bare && { annotations: all };
        const configs = what.platforms.map((_, i) => ({
          config: { Labels: notes(what, i).common },
          history,
          architecture: ["amd64", "arm64"][i],
        }));
        if (configs.length === 1) return await image(repo, salt, { config: configs[0]!, ...annotations });
        const digests: Digest[] = [];
        for (const config of configs) digests.push(await put(repo, await image(repo, salt, { config })));
        children.set(n, digests);
        return index(digests, what.bare ? undefined : all);
      }
      case "upon": {
        const { common } = notes(world.manifests[what.image] as ImageFacts);
        const history = [{ created_by: "dapp docker" }, { created_by: "RUN make" }];
        return await image(repo, salt, { config: { config: { Labels: common }, history } });
      }
      case "plain": {
        if (what.children.length === 0) return await image(repo, salt, {});
        const digests = [];
        for (const child of what.children) digests.push(await digestOf(repo, child));
        children.set(n, digests);
        return index(digests);
      }
      case "attached": {
        const one = await image(repo, salt, {});
        if (!what.list) return one;
        const digest = await put(repo, one);
        children.set(n, [digest]);
        return index([digest]);
      }
    }
  };
  const put = async (repo: string, document: { readonly mediaType: string }, tag?: string) =>
    (await registry.addManifest(path(repo), document, tag)).digest;
  const digestOf = async (repo: string, n: number): Promise<Digest> => {
    const key = `${repo}#${n}`;
    const found = done.get(key) ?? await put(repo, await documentOf(repo, n));
    done.set(key, found);
    return found;
  };

  const names: string[] = [];
  const digests: Digest[] = [];
  for (const { repo, name, at, pushedAgo } of world.tags) {
    const what = world.manifests[at]!;
    const digest = await digestOf(repo, at);
    let tag = named(name);
    if (what.kind === "stage" && name === "") tag = stageTag(signatures[what.stage]!);
    if (what.kind === "attached") {
      const { of, child } = what.to;
      const subject = of === "unknown"
        ? digestFromHex("7".repeat(64))
        : child
        ? children.get(of)![0]!
        : await digestOf(repo, of);
      tag = subject.replace(":", "-") + name.slice(name.lastIndexOf("}") + 1);
    }
    await registry.addManifest(
      path(repo),
      registry.documentOf(path(repo), digest) as { mediaType: string },
      tag,
    );
    pushed?.(path(repo), tag, iso(pushedAgo));
    names.push(`${repo}:${tag}`);
    digests.push(digest);
  }
  for (const repo of new Set(world.tags.map(({ repo }) => repo))) {
    if (repo === "") continue;
    const annotations = {
      [labels.project]: "shop",
      [labels.name]: repo,
      [labels.service]: "repository",
    };
    await put("", await image("", repo, { annotations }), `dappservice-dimg-${repo.replaceAll("/", "._")}`);
  }
  return { world, names, digests, children, signatures };
}

/** A repository with the history of a world, and the clone of it that the cleanup works in. */
export async function putGit({ git }: World, root: string): Promise<Commits> {
  const origin = `${root}/origin`;
  const call = async (dir: string, args: readonly string[], stdin?: string) =>
    (await run(["git", "-C", dir, ...args], {
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
      ...(stdin !== undefined && { stdin }),
    })).stdout;
  const make = async (dir: string, salt: string) => {
    await Deno.mkdir(dir);
    await call(dir, ["init", "-q", "--bare", "-b", "main"]);
    const lines = git.commits.map(({ parents: [first, second], tree }, i) =>
      [
        `commit refs/x/all`,
        `mark :${i + 1}`,
        `committer Me <me@example.com> ${1_700_000_000 + i} +0000`,
        `data 1\nx`,
        ...(first === undefined ? [] : [`from :${first + 1}`]),
        ...(second === undefined ? [] : [`merge :${second + 1}`]),
        "deleteall",
        `M 100644 inline f`,
        `data <<END\n${salt} ${tree}\nEND\n`,
      ].join("\n")
    );
    const marks = `${dir}/marks`;
    await call(
      dir,
      ["fast-import", "--quiet", "--force", `--export-marks=${marks}`],
      lines.join("\n") + "\n",
    );
    const ids = new Map(
      (await Deno.readTextFile(marks)).trim().split("\n").map((line) => {
        const [mark, id] = line.split(" ") as [string, string];
        return [Number(mark.slice(1)) - 1, id] as const;
      }),
    );
    await call(dir, ["update-ref", "-d", "refs/x/all"]);
    return git.commits.map((_, i) => ids.get(i)!);
  };
  const ids = await make(origin, "shop");
  const refs = async (dir: string, at: readonly string[], wanted: ReadonlyMap<string, number>) => {
    const there = (await call(dir, ["for-each-ref", "--format=%(refname)"])).split("\n").filter((l) =>
      l !== ""
    );
    const gone = there.filter((name) => !wanted.has(name)).map((name) => `delete ${name}\n`);
    const live = [...wanted].map(([name, commit]) => `update ${name} ${at[commit]}\n`);
    await call(dir, ["update-ref", "--stdin"], [...gone, ...live].join(""));
  };
  const named = (branches: ReadonlyMap<string, number>, tags: ReadonlyMap<string, number>) =>
    new Map([
      ...[...branches].map(([name, commit]) => [`refs/heads/${name}`, commit] as const),
      ...[...tags].map(([name, commit]) => [`refs/tags/${name}`, commit] as const),
    ]);
  const now = named(git.branches, git.tags);
  const trees = (await call(origin, ["rev-parse", ...ids.map((id) => `${id}^{tree}`)])).trim().split("\n");
  const project = `${root}/project`;
  const clone = (from: string, ...args: string[]) =>
    call(root, ["clone", "-q", ...args, `file://${from}`, project]);
  if (git.clone === "stale") {
    const half = git.commits.length / 2;
    const early = (map: ReadonlyMap<string, number>) =>
      new Map([...map].filter(([, commit]) => commit < half));
    const before = named(early(git.branches), early(git.tags));
    await refs(
      origin,
      ids,
      new Map([...named(git.goneBranches, git.goneTags), ...before, ["refs/heads/main", 0]]),
    );
    await clone(origin);
    await refs(origin, ids, now);
  } else {
    await refs(origin, ids, now);
    if (git.clone === "full") await clone(origin);
    if (git.clone === "shallow") await clone(origin, "--depth", "1");
    if (git.clone === "none") await Deno.mkdir(project);
    if (git.clone === "alone") {
      await Deno.mkdir(project);
      await call(project, ["init", "-q", "-b", "main"]);
      await call(project, ["fetch", "-q", "--update-head-ok", `file://${origin}`, "+refs/*:refs/*"]);
    }
    if (git.clone === "fork") {
      await refs(`${root}/fork`, await make(`${root}/fork`, "fork"), now);
      await clone(`${root}/fork`);
    }
  }
  return { ids, trees };
}
