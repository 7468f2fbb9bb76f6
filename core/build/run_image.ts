import { finishedTops, stageSources } from "./built_images.ts";
import { programEnvironment } from "./command_env.ts";
import { EngineError } from "../contract/errors.ts";
import { disposeAll, disposing } from "../hooks/dispose.ts";
import { requireBuilt } from "./require_built.ts";
import { stageOf } from "../plan/explain.ts";
import { type ImageNode, imageTitle } from "../sign/graph.ts";
import type { StageRecord } from "../contract/store.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";
import { LayerContents } from "../layers/contents.ts";
import { putSeen, settleLayers } from "../layers/sound_stages.ts";
import { observed } from "../../lib/pool.ts";
import { storedLayer } from "../layers/stage_output.ts";
import type { LateOptions } from "../share/live_cache.ts";
import { networkOf } from "./step_network.ts";
import type { Builder, LayerRef, StepMount } from "../contract/builder.ts";
import type { BuiltNeeds } from "./needs.ts";
import { type BuilderNeeds, openBuilder } from "./open_builder.ts";

/** What running a command in an image takes. */
export interface RunNeeds extends BuiltNeeds, BuilderNeeds {
  readonly options:
    & BuiltNeeds["options"]
    & BuilderNeeds["options"]
    & Pick<ResolvedOptions, "env" | "network">;
  selectOne(pattern: string | undefined): Promise<ImageNode>;
}

/** Runs a command in a built image with this process's own stdio and returns its exit code. */
export async function runImage(session: RunNeeds, options: RunOptions): Promise<number> {
  const node = await session.selectOne(options.pattern);
  const store = await session.store();
  const contents = new LayerContents(store);
  let opened: Promise<Builder> | undefined;
  const open = () =>
    opened ??= observed(openBuilder(session, store, (layer) => observed(contents.note(layer))));
  const means = { [Symbol.asyncDispose]: () => disposeAll([opened]) };
  return await disposing(means, session.options.emit, async () => {
    // What unpacks may start while it is found out what comes.
    if (mayCome(session)) observed(open().then((builder) => builder.expectLayers?.()));
    const signed = await session.sign(new Set([node.key]));
    const image = signed.image(node.key);
    let unpacking: Promise<void> | undefined;
    const unpack = async (layers: readonly LayerRef[]) => {
      const builder = await open();
      await builder.prefetch?.(layers);
    };
    const how = {
      unseen: true,
      // Each layer is unpacked while others come.
      coming: (layers: readonly LayerRef[]) => void (unpacking = observed(unpack(layers))),
    };
    const record = options.stage === undefined
      ? requireBuilt(image, await finishedTops(session, signed, [node], how), {
        title: imageTitle("dimg", node.rule.name),
        platform: session.options.platform,
      })
      : await stageRecord(session, signed, image, { name: options.stage, how });
    const config = record.image.config.config ?? {};
    const builder = await open();
    let kept: Promise<unknown> | undefined;
    if (record.unseen) {
      const settling = observed(settleLayers(store, record));
      // Unpacking is looking, and has to be done anyway.
      await unpacking;
      await contents.require(record.image.layers, node.rule.name || "the image", session.options.signal);
      kept = observed(settling.then(() => putSeen(store, record)));
    }
    const code = await builder.shell({
      label: node.rule.name,
      parents: record.image.layers.map(storedLayer),
      argv: commandOf(options, config),
      env: runEnvironment(options, config.Env, session.options.env),
      cwd: options.workdir ?? (config.WorkingDir || "/"),
      user: options.user ?? config.User ?? "",
      mounts: (options.volumes ?? []).map(parseVolume),
      ...networkOf(session.options, node.rule),
    }, session.options.signal);
    await kept;
    return code;
  });
}

/** Whether there is a registry that the image may be taken from. */
function mayCome({ repo, options }: Pick<RunNeeds, "repo" | "options">): boolean {
  return repo !== undefined || options.cacheFrom.length > 0;
}

async function stageRecord(
  session: RunNeeds,
  signed: SignedGraph,
  image: SignedImage,
  { name, how }: { readonly name: string; readonly how: LateOptions },
): Promise<StageRecord> {
  const stage = stageOf(image, name);
  const record = await (await session.store()).stages.whole(stage.signature) ??
    await (await stageSources(session, signed, [image]))?.takeLate(image, stage, { ...how, wanted: true });
  if (record) return record;
  throw new EngineError("NOT_BUILT", `Cannot run stage "${name}": it is not built for the current state`);
}

interface Runnable {
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
}

function commandOf(options: RunOptions, config: Runnable): readonly string[] {
  const entrypoint = options.entrypoint === undefined
    ? config.Entrypoint ?? []
    : options.entrypoint === ""
    ? []
    : [options.entrypoint];
  const inherited = options.entrypoint === undefined ? config.Cmd ?? [] : [];
  const argv = [...entrypoint, ...(options.command.length > 0 ? options.command : inherited)];
  return argv.length > 0 ? argv : ["/bin/sh"];
}

function runEnvironment(
  options: RunOptions,
  rows: readonly string[] | undefined,
  host: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env = programEnvironment(rows);
  if (host.TERM) env.TERM = host.TERM;
  for (const row of options.env ?? []) {
    const cut = row.indexOf("=");
    const [name, value] = cut < 0 ? [row, host[row]] : [row.slice(0, cut), row.slice(cut + 1)];
    if (name === "") {
      throw new EngineError("USAGE", `Cannot set variable "${row}": wanted is NAME=value or NAME`);
    }
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function parseVolume(text: string): StepMount {
  const [source = "", target = "", mode = "rw", ...rest] = text.split(":");
  if (source.startsWith("/") && target.startsWith("/") && /^r[ow]$/.test(mode) && rest.length === 0) {
    return { kind: "host", source, target, readOnly: mode === "ro" };
  }
  throw new EngineError(
    "USAGE",
    `Cannot mount volume "${text}": wanted is /host/path:/path/in/image or the same with :ro`,
  );
}

/** A command in a built image. */
export interface RunOptions {
  /** dimg name or glob that matches one. */
  readonly pattern?: string;
  /** Run in this stage in place of the finished image. */
  readonly stage?: string;
  /** Replaces the image's CMD; empty = the image's own CMD, or a shell when it has none. */
  readonly command: readonly string[];
  /** Replaces the image's ENTRYPOINT; "" removes it. */
  readonly entrypoint?: string;
  /** Added to the image's environment, `NAME=value` or `NAME` to pass this process's value on. */
  readonly env?: readonly string[];
  /** `source:target[:ro]`, absolute host directory or file. */
  readonly volumes?: readonly string[];
  /** Absolute directory in the image. @default that of the image */
  readonly workdir?: string;
  /** `user`, `uid`, `user:group` or `uid:gid`. @default that of the image */
  readonly user?: string;
}
