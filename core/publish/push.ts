import { buildImages } from "../build/build.ts";
import { builtImages } from "../build/built_images.ts";
import type { BuildExtras, BuildNeeds, BuiltNeeds } from "../build/needs.ts";
import type { ResolvedImage } from "../contract/source.ts";
import type { ImageNode } from "../sign/graph.ts";
import { buildAgain } from "../build/build_again.ts";
import { isOwn } from "../sign/base_rule.ts";
import { observed, Pool } from "../../lib/pool.ts";
import type { RegistryBackend } from "../contract/registry.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { GitTrees } from "../git/trees.ts";
import type { SignedGraph } from "../sign/sign.ts";
import type { Layer, Store } from "../contract/store.ts";
import { LayerContents } from "../layers/contents.ts";
import { Elsewhere } from "../layers/elsewhere.ts";
import { Losses } from "../layers/losses.ts";
import { memoize } from "../../lib/memoize.ts";
import { chainOf } from "./chain.ts";
import { checkConflicts } from "./conflicts.ts";
import type { TagFacts } from "./image_document.ts";
import { remarkOnDetour } from "./detour.ts";
import { imageTarget } from "./names.ts";
import { blobOrigins, publishImages } from "./publish_images.ts";
import { addTimes } from "../build/stopwatch.ts";
import type { BuildResult, BuiltImage, MovedStage, PublishReport } from "../contract/results.ts";
import { Standing } from "./standing.ts";
import { collectTags, type OwnedTag } from "./tags.ts";
import { outgoingLayer } from "../share/send_blobs.ts";
import { BlobUploader } from "../share/uploader.ts";
import { wholeSeconds } from "../../lib/whole_seconds.ts";
import type { Naming, OutgoingImage, OutgoingTag, PushOptions } from "./outgoing.ts";
import type { Signature } from "../contract/signature.ts";

/** What naming images takes. */
export interface TagNeeds extends BuiltNeeds {
  readonly options: BuiltNeeds["options"] & Pick<ResolvedOptions, "env" | "dryRun" | "registry">;
  readonly trees: Pick<GitTrees, "facts" | "treeOf">;
  select(patterns: readonly string[]): Promise<readonly ImageNode[]>;
  base(name: string, platform?: string): Promise<ResolvedImage>;
  /** The hooks with those of the tag schemes. */
  hooksWith(group: "tagging"): Promise<HookRunner>;
}

/** What publishing takes, with a build before it. */
export interface PushNeeds extends TagNeeds, BuildNeeds {
  readonly options: TagNeeds["options"] & BuildNeeds["options"];
  readonly trees: TagNeeds["trees"] & BuildNeeds["trees"];
  selectOne(pattern: string | undefined, options: { readonly single: true }): Promise<ImageNode>;
  sign: BuildNeeds["sign"];
}

/** Publishes images, built before or now, in REPO. One session for each platform; the first one leads. */
export async function pushImages(
  sessions: readonly [PushNeeds, ...PushNeeds[]],
  patterns: readonly string[],
  options: PushOptions & { readonly repo: string; readonly onBase?: BuildExtras["onBase"] },
): Promise<PublishReport> {
  const [session] = sessions;
  const { repo } = options;
  const { emit, signal, dryRun, registry } = session.options;
  const opening = observed(session.registry(repo, { writes: !dryRun }));
  const nodes = options.single
    ? [await session.selectOne(patterns[0], { single: true })]
    : await session.select(patterns);
  // The registry answers while stages are signed: what its question takes is begun first.
  observed(Promise.all([session.project(), session.hooksWith("tagging"), session.trees.facts()]));
  for (const each of sessions) observed(each.sign(keysOf(nodes)));
  const backend = (await opening).value;
  const main = backend.repository("");
  const store = await session.store();
  const losses = new Losses();
  const uploader = new BlobUploader(emit, signal, store.memo, losses);
  const standing = new Standing(backend, store.memo, session.options);
  const naming: Naming = {
    naming: registry.naming ?? backend.capabilities.naming,
    reference: ({ repository, tag }) => `${backend.repository(repository).name}:${tag}`,
    // A build takes time, in which the answer may become another.
    named: (targets) => options.build ? standing.recall(targets) : standing.askAhead(targets),
  };
  const tags = await prepareTags(sessions, nodes, naming, options);

  const names = nodes.map(({ rule }) => rule.name);
  const stages: MovedStage[] = [];
  const done: StagesOfBuild = { planned: new Set(), published: new Set() };
  const { name: project } = await session.project();
  const bring = bringer(session, store, losses);
  const needs = { project, store, emit, signal, dryRun, bring, standing };
  const publish = async () => {
    if (options.build) standing.forget();
    const builds = options.build
      ? await buildAll(sessions, names, { backend, options, repo, tags, uploader, done, losses, standing })
      : [];
    const built = options.build
      ? builds.map(({ images }) => images)
      : await Promise.all(sessions.map((each) => builtImages(each, nodes, { elsewhere: true })));
    const outgoing = await outgoingImages(session, nodes, tags, options.build && dryRun ? [] : built);
    if (options.withStages) {
      const moved = await sendStages(sessions, keysOf(nodes), { repo, uploader, done, losses });
      stages.splice(0, stages.length, ...moved);
    }
    return { builds, images: await publishImages(needs, backend, uploader, outgoing) };
  };
  const times = options.build ? 1 : 0;
  const { builds, images } = await buildAgain(publish, { times, emit, signal });
  if (!options.withStages && session.options.repo === undefined) {
    await remarkOnDetour(builds, { store, emit });
  }
  const report: PublishReport = {
    project,
    repo: main.name,
    dryRun,
    images,
    stages,
    bytes: uploader.count,
    ...(builds.length > 0 && {
      build: {
        stages: builds.flatMap(({ stages }) => stages),
        times: builds.map(({ times }) => times).reduce(addTimes),
      },
    }),
  };
  await (await session.hooks()).parallel("published", report);
  return report;
}

async function sendStages(
  sessions: readonly PushNeeds[],
  keys: ReadonlySet<string>,
  { repo, uploader, losses, done: { planned, published } }: Pick<
    BuildAll,
    "repo" | "uploader" | "done" | "losses"
  >,
): Promise<readonly MovedStage[]> {
  const [{ pushStages }, { openShared }] = await Promise.all([
    import("../share/move_stages.ts"),
    import("../share/open_shared.ts"),
  ]);
  const moved: MovedStage[] = [];
  for (const session of sessions) {
    const signed = await session.sign(keys);
    const shared = await openShared(session, signed, { repo, readOnly: false, uploader, losses });
    moved.push(...await pushStages(shared, { dryRun: session.options.dryRun, planned }));
  }
  return moved.map((row) => published.has(row.signature) ? { ...row, state: "pushed" } : row);
}

function keysOf(nodes: readonly ImageNode[]): ReadonlySet<string> {
  return new Set(nodes.map(({ key }) => key));
}

/** The tags of each dimg, checked before anything is built or sent. */
export async function prepareTags(
  sessions: readonly [TagNeeds, ...TagNeeds[]],
  nodes: readonly ImageNode[],
  naming: Naming,
  options: PushOptions,
): Promise<ReadonlyMap<string, readonly OutgoingTag[]>> {
  const [session] = sessions;
  const now = wholeSeconds(Date.now());
  const signing = observed(Promise.all(sessions.map((each) => each.sign(keysOf(nodes)))));
  const git = await session.trees.facts();
  const { commit } = git;
  const asking = observed(commit === undefined ? Promise.resolve(undefined) : session.trees.treeOf(commit));
  const { name: project } = await session.project();
  const collected = await collectTags(await session.hooksWith("tagging"), {
    wishes: options.tags ?? [],
    images: nodes.map(({ rule }) => rule.name),
    git,
    env: session.options.env,
    now,
  });
  const named = nameTags(nodes, collected, naming, options);
  naming.named?.([...named.values()].flat().map(({ target }) => target));
  const store = await session.store();
  const [all, tree] = [await signing, await asking];
  const signed = all[0]!;
  const out = new Map<string, readonly OutgoingTag[]>();
  for (const [node, rows] of named) {
    const { name } = node.rule;
    const image = signed.image(node.key);
    const signature = image.stages.at(-1)!.signature;
    // What an index is made of are the stages of every platform.
    const chain = (await Promise.all(all.map((each) => chainOf(each, each.image(node.key), store)))).flat();
    const base = await baseOf(session, signed, node);
    out.set(
      node.key,
      rows.map(({ tag, target }) => {
        const { scheme, value } = tag;
        const facts = {
          project,
          name,
          tag: tag.tag,
          scheme,
          value,
          commit,
          tree,
          signature,
          chain,
          base,
          created: now,
        };
        return { tag, target, reference: naming.reference(target), facts };
      }),
    );
  }
  checkConflicts(
    [...out.values()].flat().map(({ reference, facts: { name: image, signature, scheme, value } }) => ({
      reference,
      image,
      signature,
      scheme,
      value,
    })),
  );
  return out;
}

/** Where each dimg goes. */
function nameTags(
  nodes: readonly ImageNode[],
  tags: readonly OwnedTag[],
  naming: Naming,
  { single = false }: PushOptions,
): ReadonlyMap<ImageNode, readonly Pick<OutgoingTag, "tag" | "target">[]> {
  return new Map(nodes.map((node) => {
    const { name } = node.rule;
    const own = tags.filter(({ image }) => image === undefined || image === name);
    const rows = own.map((tag) => ({
      tag,
      target: imageTarget(name, tag.tag, { naming: naming.naming, single }),
    }));
    return [node, rows] as const;
  }));
}

/** The base image that a dimg stands on in the end. */
async function baseOf(
  session: Pick<TagNeeds, "base">,
  signed: SignedGraph,
  node: ImageNode,
): Promise<TagFacts["base"]> {
  const { base } = node.rule;
  if (isOwn(base)) {
    const key = base.kind === "dimg" ? base.name : `artifact:${base.name}`;
    return await baseOf(session, signed, signed.image(key).node);
  }
  return base.kind === "image" ? { name: base.name, digest: (await session.base(base.name)).id } : undefined;
}

/** Repositories that are asked at once whether this user may push there. */
const ASKED = 8;

/** Makes sure, as far as registries tell, that this user may push wherever an image is to go. */
async function requirePush(
  backend: RegistryBackend,
  tags: BuildAll["tags"],
  signal: AbortSignal,
): Promise<void> {
  const names = new Set([...tags.values()].flat().map(({ target }) => target.repository));
  const pool = new Pool(ASKED);
  await Promise.all(
    [...names].map((name) => pool.run(async () => await backend.repository(name).requirePush?.(signal))),
  );
}

/** What a build that comes before a push has to do with stages in REPO. */
interface StagesOfBuild {
  /** Would be built, on a dry run. */
  readonly planned: Set<Signature>;
  readonly published: Set<Signature>;
}

interface BuildAll {
  readonly backend: RegistryBackend;
  readonly options: Parameters<typeof pushImages>[2];
  readonly repo: string;
  readonly tags: ReadonlyMap<string, readonly OutgoingTag[]>;
  readonly uploader: BlobUploader;
  readonly losses: Losses;
  readonly standing: Standing;
  /** Filled here. */
  readonly done: StagesOfBuild;
}

/** Builds while what is finished already goes up: as stages when they are wanted, else as blobs of the images. */
async function buildAll(
  sessions: readonly PushNeeds[],
  names: readonly string[],
  { backend, options, repo, tags, uploader, done, losses, standing }: BuildAll,
): Promise<readonly BuildResult[]> {
  const results: BuildResult[] = [];
  const onFresh = () => standing.askAhead([...tags.values()].flat().map(({ target }) => target));
  for (const session of sessions) {
    const store = await session.store();
    // Nothing comes between that and publishing which takes so long that the answer becomes another.
    const next = session === sessions.at(-1) && !options.withStages && !session.options.dryRun &&
      results.every(({ stagesBuilt }) => stagesBuilt === 0);
    const result = await buildImages(session, names, {
      ...(options.introspect && { introspect: options.introspect }),
      ...(options.failFast && { failFast: true }),
      ...(options.stages && { stages: true }),
      ...(options.onBase && { onBase: options.onBase }),
      ...(options.withStages && { repo }),
      uploader,
      publishing: true,
      losses,
      ...(next && { onFresh }),
      mayBuild: () => requirePush(backend, tags, session.options.signal),
      onPlanned: (signature) => done.planned.add(signature),
      onPublished: (signature) => done.published.add(signature),
      onSaved(image, _stage, record) {
        if (options.withStages || session.options.repo !== undefined) return;
        const targets = new Set(tags.get(image.node.key)?.map(({ target }) => target.repository));
        for (const name of targets) {
          const repository = backend.repository(name);
          const from = blobOrigins(image.node.rule, backend, repository);
          for (const layer of record.image.layers) {
            // A failure shows when the image is published, which sends again what is missing.
            observed(uploader.send(repository, outgoingLayer(layer, store, from)));
          }
        }
      },
    });
    results.push(result);
  }
  return results;
}

/** Brings layers from where stages say they are. */
function bringer(
  session: PushNeeds,
  store: Store,
  losses: Losses,
): (layer: Layer, place: string) => Promise<unknown> {
  const { emit, signal } = session.options;
  const places = new Map<string, Promise<Elsewhere>>();
  return async (layer, place) => {
    const elsewhere = await memoize(places, place, async () => {
      const repository = (await session.registry(place)).value.repository("");
      return new Elsewhere({ store, emit, signal, contents: new LayerContents(store) }, [repository], losses);
    });
    return await elsewhere.ref(layer, place).stored;
  };
}

/** Everything that will be published. @param built the images of each platform; none when a dry run would build them */
export async function outgoingImages(
  session: Pick<BuiltNeeds, "sign">,
  nodes: readonly ImageNode[],
  tags: ReadonlyMap<string, readonly OutgoingTag[]>,
  built: readonly (readonly BuiltImage[])[],
): Promise<readonly OutgoingImage[]> {
  const signed = await session.sign(keysOf(nodes));
  const byName = built.map((images) => new Map(images.map((image) => [image.name, image])));
  return nodes.map((node) => ({
    node,
    signature: signed.image(node.key).stages.at(-1)!.signature,
    tags: tags.get(node.key) ?? [],
    images: byName.map((images) => images.get(node.rule.name)!),
  }));
}
