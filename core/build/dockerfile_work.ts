import type {
  Builder,
  ContextEntry,
  DockerfileBase,
  DockerfileStep,
  FailedMoment,
  StepIo,
} from "../contract/builder.ts";
import { EngineError } from "../contract/errors.ts";
import type { ImageState } from "../contract/store.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { collect } from "../../lib/collect.ts";
import { writeAllSync } from "../../lib/write_all.ts";
import { atPathSync } from "../../lib/file_failure.ts";
import { readBlobs } from "../git/blobs.ts";
import { compareBytes } from "../git/listing.ts";
import { takeBuilt } from "../layers/new_layer.ts";
import { type LayerWorker, storedLayer } from "../layers/stage_output.ts";
import type { DockerfileContent, DockerfilePlan } from "../sign/dockerfile_facts.ts";
import { type ImageNode, stageTitle } from "../sign/graph.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { GitTrees } from "../git/trees.ts";
import type { BaseImages } from "./base_images.ts";
import type { OnDemandBuilder } from "./on_demand_builder.ts";
import type { StageShells } from "./stage_shells.ts";
import type { MadeOutput, WorkTask } from "./stage_task.ts";
import { type StepNeeds, StepTalk } from "./step_io.ts";
import { networkOf, proxyVariables } from "./step_network.ts";

/** Who builds stages, as far as a Dockerfile needs it. */
export interface DockerfileWorker extends LayerWorker, StepNeeds {
  readonly session: LayerWorker["session"] & StepNeeds["session"] & {
    readonly options: Pick<ResolvedOptions, "network" | "env" | "untrusted">;
    readonly trees: Pick<GitTrees, "own">;
    dockerfile(node: ImageNode): Promise<DockerfilePlan>;
  };
  readonly builder: Pick<OnDemandBuilder, "open">;
  readonly bases: Pick<BaseImages, "fetch" | "remote">;
  readonly shells: Pick<StageShells, "wanted">;
}

/** Builds the Dockerfile of an image. @throws STAGE_FAILED, BUILDER_UNAVAILABLE, CONFIG_INVALID */
export async function buildDockerfile(worker: DockerfileWorker, task: WorkTask): Promise<MadeOutput> {
  const talk = new StepTalk(worker, task);
  try {
    const onFailure = shellsIn(worker, task);
    return await buildIn(worker, task, { ...talk.io, ...(onFailure && { onFailure }) });
  } finally {
    talk.end();
  }
}

/** Opens the shells that are wanted where a command of a Dockerfile fails; undefined when none is. */
function shellsIn(
  { shells: { wanted }, session: { options: { emit } } }: DockerfileWorker,
  { at }: WorkTask,
): StepIo["onFailure"] {
  const moments: FailedMoment[] = [
    ...(wanted.error ? ["after" as const] : []),
    ...(wanted.beforeError ? ["before" as const] : []),
  ];
  if (moments.length === 0) return undefined;
  return async (shell) => {
    for (const when of moments) {
      const what = when === "after" ? "left behind" : "started from";
      const text = `${stageTitle(at)} failed; this shell sees what its command ${what}`;
      emit({ type: "note", level: "warn", text });
      await shell(when);
    }
  };
}

async function buildIn(
  worker: DockerfileWorker,
  { image: { node }, stage, at, forced, line, registry }: WorkTask,
  io: StepIo,
): Promise<MadeOutput> {
  const { session } = worker;
  const { rule } = node;
  const { base } = rule;
  if (base.kind !== "dockerfile") throw new TypeError(`Image "${node.key}" has no Dockerfile`);
  const label = stageTitle(at);
  const builder = await worker.builder.open();
  requireDockerfiles(builder, label);
  const plan = await session.dockerfile(node);
  const content = await plan.content();
  const shared = builder.elsewhere ? registry?.place() : undefined;
  const { epoch, compression, untrusted } = session.options;
  const spool = await worker.temp();
  try {
    const context = await spoolContext(worker, content, spool);
    const network = networkOf(session.options, rule);
    const step: Omit<DockerfileStep, "bases"> = {
      label,
      signature: stage.signature,
      ...(forced && { forced }),
      text: content.text,
      file: base.file,
      ...(base.target !== undefined && { target: base.target }),
      args: base.args,
      proxies: proxyVariables(session.options),
      context,
      secrets: rule.secrets.map(({ id }) => id),
      ssh: rule.ssh,
      contextId: await digestOf(JSON.stringify([epoch, base.file, content.text, await plan.listing()])),
      // What strangers leave there, builds of others would find.
      cacheScope: untrusted ? crypto.randomUUID() : `dapp/${(await session.project()).name}`,
      ...network,
      // Not from the daemon's machine either.
      ...(untrusted && network.network === "none" && { withoutDownloads: true }),
      epoch,
      compression,
      ...(shared && { shared }),
    };
    const bases = await basesOf(worker, content, { label, remote: shared !== undefined });
    const { config, layers, spare } = await builder.buildDockerfile!({ ...step, bases }, io)
      .catch(async (error) => {
        if (!(error instanceof EngineError) || error.code !== "SOURCE_NOT_FOUND") throw error;
        worker.bases.remote.remark(`What ${label} stands on`, error);
        const here = await basesOf(worker, content, { label, remote: false });
        return await builder.buildDockerfile!({ ...step, bases: here }, io);
      });
    if (spare && shared) registry?.spare(shared.spareTag, spare);
    const refs = await Promise.all(layers.map((layer) => {
      if ("blob" in layer) return takeBuilt(worker, layer);
      return "place" in layer && registry ? registry.left(layer) : storedLayer(layer);
    }));
    const known = new Set(bases.flatMap(({ image }) => image.layers.map(({ digest }) => digest)));
    const { rootfs: _, history = [], ...rest } = config;
    return {
      config: { ...rest, created: line.created },
      history,
      layers: refs,
      below: refs.filter((_, i) => {
        const layer = layers[i]!;
        return !("blob" in layer) && known.has(layer.digest);
      }),
      trees: {},
    };
  } finally {
    await Deno.remove(spool).catch(() => {}); // it may not have been made
  }
}

/** The images that a Dockerfile names: where they are if the builder can take them from there, else in the store. */
async function basesOf(
  worker: DockerfileWorker,
  content: DockerfileContent,
  { label, remote }: { readonly label: string; readonly remote: boolean },
): Promise<readonly DockerfileBase[]> {
  return await Promise.all(content.use.images.map(async ({ line: _, ...use }): Promise<DockerfileBase> => {
    const { name, platform } = use;
    const there = remote ? await worker.bases.remote.find(name, platform) : undefined;
    const image = there?.image ?? await worker.bases.fetch(name, platform);
    if (!there) await worker.reader.contents.require(image.layers, name, worker.signal);
    requirePlainTriggers(image, { name, label, content });
    return {
      ...use,
      image,
      ...(there && { at: { repository: there.repository.name, digest: there.digest } }),
    };
  }));
}

/** @throws BUILDER_UNAVAILABLE when a builder runs commands only */
function requireDockerfiles({ name, buildDockerfile }: Builder, label: string): void {
  if (buildDockerfile) return;
  throw new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot build ${label}: builder "${name}" cannot build Dockerfiles, BuildKit can`,
    {
      fix: "Set BUILDKIT_HOST to the address of a BuildKit daemon, or have one made with: dapp builder setup",
    },
  );
}

/**
 * Triggers of a base image are instructions that nobody sees before the image is here, so what they read is not signed.
 *
 * @throws CONFIG_INVALID when they read files, from the context or other images
 */
function requirePlainTriggers(
  { config }: ImageState,
  { name, label, content }: {
    readonly name: string;
    readonly label: string;
    readonly content: DockerfileContent;
  },
): void {
  const whole = content.use.paths === undefined;
  const wrong = (config.config?.OnBuild ?? []).find((trigger) =>
    /(?:--from=|from=)/i.test(trigger) || (!whole && /^\s*(?:ADD|COPY)\b|--mount=/i.test(trigger))
  );
  if (wrong === undefined) return;
  throw new EngineError(
    "CONFIG_INVALID",
    `Cannot build ${label}: ${name} has the ONBUILD trigger "${wrong}", which reads files that the signature does not cover`,
    { fix: "Write what its triggers do into the Dockerfile, upon an image without them" },
  );
}

/** Puts the contents of a context into one file, which has room for all of them in any order. */
async function spoolContext(
  worker: DockerfileWorker,
  { files, emptyDirs }: DockerfileContent,
  path: string,
): Promise<ContextEntry[]> {
  const { repository } = await worker.session.trees.own();
  const entries = new Map<string, ContextEntry>();
  const addDirs = (dir: string) => {
    for (let at = dir; at !== "" && !entries.has(at); at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
      entries.set(at, { path: at, kind: "dir", mode: 0o755 });
    }
  };
  emptyDirs.forEach(addDirs);
  using spool = await Deno.open(path, { write: true, createNew: true });
  let offset = 0;
  for await (const { file: { name, mode }, size, chunks } of readBlobs(repository, files)) {
    worker.signal.throwIfAborted();
    addDirs(name.slice(0, Math.max(0, name.lastIndexOf("/"))));
    if (mode === "120000") {
      const target = new TextDecoder().decode(await collect(chunks, size));
      entries.set(name, { path: name, kind: "link", mode: 0o777, target });
      continue;
    }
    for await (const chunk of chunks) atPathSync(path, () => writeAllSync(spool, chunk));
    entries.set(name, {
      path: name,
      kind: "file",
      mode: mode === "100755" ? 0o755 : 0o644,
      file: path,
      offset,
      size,
    });
    offset += size;
  }
  return [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
}

/** Orders paths as a walk through directories does, names by their bytes. */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareBytes(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
