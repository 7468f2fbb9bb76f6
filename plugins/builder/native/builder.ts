import type { Env } from "../../../lib/programs.ts";
import { Alarm } from "../../../lib/alarm.ts";
import { Shared } from "../../../lib/memoize.ts";
import { observed } from "../../../lib/pool.ts";
import { abortable } from "@std/async/abortable";
import type {
  Builder,
  BuilderRequest,
  BuildStep,
  Digest,
  Layer,
  LayerCompression,
  LayerFile,
  LayerRef,
  ShellStep,
  StepIo,
  StepMount,
  StepNetwork,
  StepResult,
  Store,
} from "../../../core/contract/plugin.ts";
import { EngineError } from "../../../core/contract/errors.ts";
import { type DirMeta, LayerCache, nativeDirectory } from "./cache.ts";
import type { HelperProcess } from "./helper_process.ts";
import { isRootless } from "./namespaces.ts";
import { HelperPool } from "./pool.ts";
import type { MountSpec, RootfsSpec, RunRequest, StoredBlob } from "./protocol.ts";
import { RunDirectory } from "./run_directory.ts";
import { takeAway } from "./take_away.ts";
import { runInteractive } from "./shell.ts";
import { overlayDirs } from "./skeleton.ts";
import { NetworkChoice } from "./step_network.ts";
import { UnpackedLayers } from "./unpacked_layers.ts";
import { unreachable } from "../../../lib/unreachable.ts";

/** Helpers that start before it is known which layers are to be unpacked. */
const AHEAD = 2;

/** How long closing waits for what is removed; what takes longer, or hangs in a helper, is left to the next run. */
const REMOVING_MS = 10_000;

/** How long closing takes at most when nobody wants anything any more. */
const INTERRUPTED_MS = 500;

/** How long a small tar waits for a step, whose helper has time for it while commands run. */
const STEP_MS = 100;

const DEFAULT_ROOT: DirMeta = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/** What it works with. */
export interface NativeOptions {
  /** That of the engine: where programs are. */
  readonly env: Env;
  /** Flags of Deno for helper processes, for tests. */
  readonly helperFlags?: readonly string[];
  /** Takes what the user should know. */
  note?(text: string): void;
  /** Once it is aborted nobody wants anything any more: what is under way is given up, and closing waits for none of it. */
  readonly signal?: AbortSignal;
}

/**
 * Builds with overlayfs and namespaces of this machine. This process never mounts anything: helper processes do, in
 * namespaces of their own that vanish with them. Unpacked layers are kept below `native/` in the store, a cache that
 * may be deleted whenever nothing runs.
 */
export class NativeBuilder implements Builder {
  readonly name = "native";
  readonly mounts = ["host", "cache", "tmp", "memory", "secret", "ssh"] as const;
  readonly #env: Env;
  readonly #store: Store;
  readonly #pools: Readonly<Record<StepNetwork, HelperPool>>;
  /** Whether commands are to run. */
  #stepsCome = false;
  /** What most steps ask for. */
  readonly #network: StepNetwork | undefined;
  /**
   * Whether nothing was unpacked before, where one command is to run in an image. That is mostly the only one, as on a machine
   * that does not build, and images are made in less time; steps read from directories, which stay in memory between builds.
   */
  #fresh: Promise<boolean> | undefined;
  readonly #choice: NetworkChoice;
  readonly #cache: LayerCache;
  readonly #run = new Shared(() => RunDirectory.open(this.#cache.native));
  readonly #rootless: boolean;
  readonly #layers: UnpackedLayers;
  /** The helper of the next step, once that runs. */
  #step = Promise.withResolvers<HelperProcess>();
  #tidied: Promise<unknown> | undefined;
  #flushed: Promise<unknown> | undefined;
  readonly #signal: AbortSignal;

  constructor(request: BuilderRequest, options: NativeOptions) {
    this.#env = options.env;
    this.#store = request.store;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#rootless = isRootless();
    this.#cache = new LayerCache(nativeDirectory(request.store.path, this.#rootless));
    this.#layers = new UnpackedLayers(this.#cache, {
      request,
      signal: this.#signal,
      rootless: this.#rootless,
      makesImages: async () => !this.#stepsCome && (await this.#fresh ?? false),
      keepsImages: () => !this.#stepsCome,
      helpers: () => this.#helpers,
      path: async () => (await this.#runDirectory()).next(),
    });
    const pool = (network: StepNetwork) =>
      new HelperPool(
        Math.max(1, request.parallel),
        { rootless: this.#rootless, network },
        options.env,
        options.helperFlags ?? [],
      );
    this.#pools = { host: pool("host"), none: pool("none"), private: pool("private") };
    this.#network = request.network;
    const connect = () => this.#pools.private.use(() => Promise.resolve());
    this.#choice = new NetworkChoice(connect, options.env, options.note ?? (() => {}));
  }

  warmUp(): void {
    this.#stepsCome = true;
    this.#helpers.warmUp();
    observed(this.#runDirectory());
  }

  /**
   * Helpers for all but steps: those that most steps probably take, since each is a process. Where no steps come, none needs
   * a way out.
   */
  get #helpers(): HelperPool {
    const likely = this.#network ?? this.#choice.likely;
    return this.#pools[likely === "private" && !this.#stepsCome ? "none" : likely];
  }

  async expectLayers(): Promise<void> {
    // Where none is unpacked, some will have to be.
    if (await (this.#fresh ??= this.#cache.isEmpty())) this.#helpers.warmUp(AHEAD);
  }

  async prefetch(layers: readonly LayerRef[]): Promise<void> {
    const unpacking = Promise.allSettled(layers.map((layer) => this.#layers.plain(layer)));
    await abortable(unpacking, this.#signal).catch(() => {}); // whoever stands on them has the signal, too
  }

  async compress(tar: string, compression: LayerCompression): Promise<Layer & LayerFile> {
    const blob = await this.#blobFile();
    const ask = (helper: HelperProcess) =>
      helper.request<StoredBlob>({ op: "compress", tar, blob, compression });
    const helper = await atMost(this.#step.promise, STEP_MS);
    return layerOf(await (helper ? ask(helper) : this.#helpers.useBeside(ask)), blob);
  }

  async run(step: BuildStep, io: StepIo): Promise<StepResult> {
    io.signal.throwIfAborted();
    this.#stepsCome = true;
    const network = step.network ?? await abortable(this.#choice.make(), io.signal);
    const rootfs = await abortable(this.#rootfs(step, network, io), io.signal);
    const request: RunRequest = {
      op: "run",
      ...rootfs,
      label: step.label,
      commands: step.commands,
      ...secretsOf(step, io),
      epoch: step.epoch,
      compression: step.compression,
      threads: Math.max(1, navigator.hardwareConcurrency - 1), // the next stage runs meanwhile
      blob: await this.#blobFile(),
      keepFailed: io.onFailure !== undefined,
    };
    try {
      return await this.#pools[network].use(async (helper) => {
        io.signal.throwIfAborted();
        const { captured, stored } = helper.run(
          request,
          (stream, text) => io.output(stream, text),
          io.signal,
        );
        this.#tidy();
        this.#flush(helper);
        this.#step.resolve(helper);
        this.#step = Promise.withResolvers();
        const { layer } = await captured;
        if (!layer) return {};
        const { name, meta, index } = layer;
        const { diffId } = meta;
        this.#layers.add({ name, meta });
        const blob = stored.then((value) => layerOf(value!, request.blob));
        blob.catch(() => {});
        return { layer: { diffId, index, blob } };
      });
    } catch (error) {
      if (io.signal.aborted) throw io.signal.reason;
      const failed = error instanceof EngineError && error.code === "STAGE_FAILED";
      if (!failed || !io.onFailure || !await isDirectory(request.run)) throw error;
      try {
        const { TERM } = this.#env;
        await io.onFailure(() =>
          this.#interactive(rootfs, {
            label: step.label,
            argv: [],
            env: { ...step.env, ...(TERM && { TERM }) },
            cwd: "/",
            user: "",
          }, io.signal)
        );
      } finally {
        await this.#remove([request.run]);
      }
      throw error;
    }
  }

  async leftovers(used: ReadonlySet<Digest>, { dryRun }: { readonly dryRun: boolean }) {
    const { findLeftovers } = await import("./leftovers.ts");
    return await findLeftovers(this.#store.path, used, async (path) => {
      if (!dryRun) await this.#remove([path]);
    });
  }

  async shell(step: ShellStep, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const network = step.network ?? await this.#choice.make({ untried: true });
    const rootfs = await abortable(this.#rootfs(step, network), signal);
    this.#tidy();
    try {
      return await this.#interactive(rootfs, step, signal);
    } finally {
      await this.#remove([rootfs.run]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const run = await this.#run.take();
    const pools = Object.values(this.#pools);
    const remove = () => Promise.all([this.#tidied, run && this.#remove([run.path]).catch(() => {})]);
    const close = () => Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]()));
    if (this.#signal.aborted) {
      // What helpers still unpack would be waited for, and come back where it is removed.
      const giveUp = async () => {
        await Promise.all(pools.map((pool) => pool.interrupt()));
        await remove();
        await close();
      };
      await atMost(giveUp(), INTERRUPTED_MS);
    } else {
      await atMost(remove(), REMOVING_MS);
      await close();
      if (run) await this.#remove([run.path]).catch(() => {}); // a helper may have begun with a layer after that
    }
    run?.lock.close();
  }

  /** Made when steps are to come: what only removes must not need space. */
  #runDirectory(): Promise<RunDirectory> {
    return this.#run.get();
  }

  async #blobFile(): Promise<string> {
    return `${await this.#store.blobs.scratch()}/layer-${crypto.randomUUID()}`;
  }

  #interactive(
    rootfs: RootfsSpec,
    step: Pick<ShellStep, "label" | "argv" | "env" | "cwd" | "user">,
    signal: AbortSignal,
  ): Promise<number> {
    const { label, argv, env, cwd, user } = step;
    return runInteractive({ ...rootfs, label, argv, env, cwd, user }, this.#env, signal);
  }

  async #rootfs(
    step: Pick<BuildStep, "parents" | "mounts">,
    network: StepNetwork,
    io: Pick<StepIo, "sshAgent"> = {},
  ): Promise<RootfsSpec> {
    const run = (await this.#runDirectory()).next();
    const binds = await Promise.all(step.mounts.map((mount) => this.#bind(mount, run, io)));
    const all = await this.#layers.lower(step.parents);
    const layers = all.slice(Math.max(0, all.findLastIndex(({ meta }) => meta.opaqueRoot)));
    return {
      native: this.#cache.native,
      run,
      lower: layers.flatMap(({ name, meta }) => overlayDirs(name, meta)),
      root: layers.findLast(({ meta }) => meta.root)?.meta.root ?? DEFAULT_ROOT,
      mounts: outermostFirst(binds.filter((bind) => bind !== undefined)),
      network,
      rootless: this.#rootless,
    };
  }

  /** What of this machine is bound into a step in `run` for a mount; undefined for secrets, which are on no disk. */
  async #bind(
    mount: StepMount,
    run: string,
    { sshAgent }: Pick<StepIo, "sshAgent">,
  ): Promise<MountSpec | undefined> {
    const { target } = mount;
    switch (mount.kind) {
      case "host":
        return { source: mount.source, target, readOnly: mount.readOnly };
      case "cache":
        return {
          source: await this.#store.housekeeping.directory(mount.project, "mount", mount.name),
          target,
          readOnly: false,
        };
      case "tmp": {
        const source = `${await this.#store.blobs.scratch()}/mount${target}`;
        await Deno.mkdir(source, { recursive: true });
        return { source, target, readOnly: false };
      }
      case "memory":
        return { source: `${run}/memory${target}`, target, readOnly: false, memory: mount.size };
      case "ssh":
        return { source: sshAgent?.(mount.id) ?? "", target, readOnly: false };
      case "secret":
        return undefined;
      default:
        return unreachable(mount);
    }
  }

  /**
   * Once a run, beside the first commands: flushes what is unpacked, which is unpacked again where the machine stopped before.
   * What later commands leave is flushed by the next run, since a helper cannot end before it has flushed, nor this run.
   */
  #flush(helper: HelperProcess): void {
    this.#flushed ??= observed(helper.request({ op: "sync", native: this.#cache.native }));
  }

  /** Once a run, while commands run: removes what killed builders left. */
  #tidy(): void {
    this.#tidied ??= this.#runDirectory().then(({ stale }) => this.#remove(stale)).catch(() => {});
  }

  /** Directories of steps, which may hold files of other users. */
  async #remove(paths: readonly string[]): Promise<void> {
    for (const each of paths) {
      const path = await takeAway(each);
      if (path === undefined) continue;
      try {
        await Deno.remove(path, { recursive: true });
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        await this.#helpers.useBeside((helper) => helper.request({ op: "remove", paths: [path] }));
      }
    }
  }
}

/** The secrets of a step, as files and in its environment. They are in memory alone, here and in the helper. */
function secretsOf(step: BuildStep, { secret }: StepIo): Pick<RunRequest, "secrets" | "env"> {
  const value = (id: string) => secret?.(id) ?? new Uint8Array();
  const variables = Object.entries(step.secretEnv ?? {});
  return {
    secrets: step.mounts.flatMap((mount) =>
      mount.kind === "secret" ? [{ target: mount.target, content: value(mount.id).toBase64() }] : []
    ),
    env: {
      ...step.env,
      ...Object.fromEntries(variables.map(([name, id]) => [name, new TextDecoder().decode(value(id))])),
    },
  };
}

/** What is mounted below another mount must come after it, or it would be hidden. */
function outermostFirst(mounts: readonly MountSpec[]): readonly MountSpec[] {
  const depth = ({ target }: { readonly target: string }) =>
    target.split("/").filter((part) => part !== "").length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

function layerOf(blob: StoredBlob, file: string) {
  const { mediaType, digest, size, diffId } = blob;
  return { mediaType, digest, size, diffId, file };
}

/** What `work` gives; undefined when that takes longer. */
async function atMost<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const alarm = new Alarm();
  alarm.set(ms, () => late.resolve(undefined));
  return await Promise.race([work, late.promise]).finally(() => alarm.stop());
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
