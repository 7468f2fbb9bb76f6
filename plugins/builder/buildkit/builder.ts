import { abortable } from "@std/async/abortable";
import {
  type Builder,
  type BuilderRequest,
  type BuildStep,
  type Digest,
  type DockerfileResult,
  type DockerfileStep,
  EngineError,
  type ImageState,
  type Layer,
  type LayerIndex,
  type LayerPlace,
  type LayerRef,
  type PinnedImage,
  type SharedImage,
  type SharedPlace,
  type ShellStep,
  type StepIo,
  type StepResult,
} from "../../../core/contract/plugin.ts";
import { compressTarFile } from "../../../lib/layer/writer.ts";
import { authService, secretService, sshService } from "../../../lib/buildkit/attachables.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import { type Gateway, nameOf } from "../../../lib/buildkit/gateway.ts";
import type { Session } from "../../../lib/buildkit/session.ts";
import { type CanonicalLayer, canonicalLayer, refused, rootChanged } from "./canonical.ts";
import type { Daemon } from "./daemon.ts";
import { build, buildWatched, type Container, type DriveOptions, withGateway } from "./drive.ts";
import { hostRefused, isLost, refusesHostNetwork, shellError, stepError, unavailable } from "./failure.ts";
import { type BuildkitOptions, Fleet, type FleetUser } from "./fleet.ts";
import { HAND_OVER, newLayers } from "./hand_over.ts";
import { findShell, rootCommand, rootOf, shellOf } from "./image_look.ts";
import { runInteractive } from "./interactive.ts";
import { LayerLooks } from "./layer_looks.ts";
import { LayerShelf, namedBlobs, type ShelfImage } from "./layer_shelf.ts";
import { lookProgram } from "./look_program.ts";
import { logins } from "./registry_login.ts";
import { SharedSessions } from "./shared_sessions.ts";
import { EntryCheck, pushedLayer, pushExporter } from "./shared_layer.ts";
import { StepExchange } from "./step_exchange.ts";
import { StepOutput } from "./step_output.ts";
import {
  mountOf,
  NETWORKS,
  planImage,
  planStep,
  type StepGround,
  type StepPlan,
  STORE,
  unsetAdded,
} from "./step_plan.ts";

/** A mount of which nothing is kept, and that stands on nothing but its own name. */
const UNKEPT = { input: -1n, output: -1n };

/** What a daemon built. */
interface Solved {
  /** Digest of the manifest that its exporter made. */
  readonly manifest: string;
  /** Seconds since 1970 by the daemon's clock. */
  readonly started: number;
  readonly output: StepOutput;
}

/** A step on its way through a daemon. */
interface Solving {
  readonly daemon: Daemon;
  readonly plan: StepPlan;
  readonly fs: ShelfImage["fs"];
  readonly exchange: StepExchange;
  /** Where the image below is, if that is a registry. */
  readonly shared?: SharedImage;
  /** The layer alone is left in the registry; else it comes here, with the copy of "/". */
  readonly push: boolean;
}

/** A step's image in a registry, and what is known of it. */
interface SharedView {
  readonly shared: SharedImage;
  readonly layers: readonly Layer[];
  readonly fs: ShelfImage["fs"];
  readonly program: Uint8Array;
}

/**
 * Builds in BuildKit daemons, here or elsewhere. A daemon takes the layers that a step stands on from the registry of the
 * build and leaves the new one there; without one it reads them from this process and hands the new one over to it.
 */
export class BuildkitBuilder implements Builder {
  readonly name = "buildkit";
  readonly mounts = ["cache", "tmp", "secret", "ssh"] as const;
  readonly elsewhere = true;
  readonly #shelf: LayerShelf;
  readonly #runId = crypto.randomUUID();
  readonly #fleet: Fleet;
  readonly #sessions: SharedSessions;
  readonly #looks: LayerLooks;
  #temporary = false;
  readonly #compressing = new Set<Promise<unknown>>();

  constructor(readonly request: BuilderRequest, readonly options: BuildkitOptions) {
    const { store, platform, onLayer } = request;
    this.#shelf = new LayerShelf(store, platform, onLayer);
    this.#fleet = new Fleet(options, platform, () => store.blobs.scratch());
    this.#sessions = new SharedSessions(() => store.blobs.scratch(), options.env);
    this.#looks = new LayerLooks(request, this.#sessions);
  }

  warmUp(): void {
    this.#fleet.warmUp();
  }

  watchCapacity(changed: (steps: number) => void): void {
    this.#fleet.watchCapacity(changed);
  }

  async place({ signature, placement = signature }: Pick<BuildStep, "signature" | "placement">) {
    const address = await this.#fleet.home(placement);
    return { builder: this.name, ...(address !== undefined && { address }) };
  }

  async prefetch(layers: readonly LayerRef[]): Promise<void> {
    await this.#shelf.look(layers).catch(() => {}); // whoever stands on them says so
  }

  async run(step: BuildStep, io: StepIo): Promise<StepResult> {
    io.signal.throwIfAborted();
    const user = this.#user(step.placement ?? step.signature, io);
    const work = (daemon: Daemon, leave: () => void) => this.#runAt(daemon, step, leaving(io, leave));
    return await abortable(this.#fleet.use(user, work), io.signal);
  }

  #user(key: string, io: StepIo): FleetUser {
    return {
      key,
      signal: io.signal,
      placed: ({ address: { text }, platform }) =>
        io.placed?.({ builder: this.name, address: text, ...(platform !== "" && { platform }) }),
      say: (text) => io.output("stderr", `${text}\n`),
    };
  }

  async #runAt(daemon: Daemon, step: BuildStep, io: StepIo): Promise<StepResult> {
    requireNetwork(step, daemon);
    const view = await this.#sharedView(daemon, step, io.signal);
    if (view) return await this.#runShared(daemon, step, io, view);
    using image = await abortable(this.#shelf.image(step.parents), io.signal);
    await using exchange = new StepExchange(image, await this.request.store.blobs.scratch());
    const plan = this.#plan(step, image.fs, { manifest: image.manifest });
    const solved = await this.#solve(step, io, { daemon, plan, fs: image.fs, exchange, push: false });
    return await this.#handedOver(step, io, { solved, plan, image, exchange });
  }

  /**
   * The image of a step in its registry; undefined when it must go through this process: it is not there, the daemon's
   * machine is of a kind that nobody can look into layers on, or BuildKit would unpack a layer otherwise than it is meant.
   */
  async #sharedView(daemon: Daemon, step: BuildStep, signal: AbortSignal): Promise<SharedView | undefined> {
    if (!step.shared || step.parents.length === 0) return undefined;
    const program = await lookProgram(this.request.platform.architecture);
    if (!program) return undefined;
    const shared = await abortable(step.shared(), signal);
    if (!shared) return undefined;
    const { name } = shared.repository;
    const view = await abortable(
      this.#shelf.view(
        step.parents,
        async (layer, place) =>
          place === name ? (await this.#looks.look(daemon, layer, { at: shared, signal }))?.index : undefined,
      ),
      signal,
    );
    if (!view.plain) return undefined;
    const layers = await Promise.all(step.parents.map((ref) => ref.described ?? ref.stored));
    return { shared, layers, fs: view.fs, program };
  }

  async #runShared(
    daemon: Daemon,
    step: BuildStep,
    io: StepIo,
    { shared, layers, fs, program }: SharedView,
  ): Promise<StepResult> {
    const { repository, manifest } = shared;
    const ground = { manifest, repository: repository.name, program };
    const plan = this.#plan(step, fs, ground);
    const blobs = namedBlobs(layers);
    const image: ShelfImage = { manifest, blobs, layers: layers.length, fs, [Symbol.dispose]() {} };
    await using exchange = new StepExchange(image, await this.request.store.blobs.scratch());
    const solving = { daemon, plan, fs, exchange, shared };
    const pushed = await this.#solve(step, io, { ...solving, push: true });
    const { layer, spare, config } = await pushedLayer(shared, pushed.manifest, layers, io.signal);
    const check = new EntryCheck(step.epoch, pushed.started);
    const described = layer as Layer;
    // The output of a step that the daemon had done before, or that it cut off, says nothing of it.
    const options = { at: shared, signal: io.signal };
    const root = pushed.output.root ?? await this.#looks.root(daemon, plan.rootLook, options);
    const look = () => this.#looks.look(daemon, described, options, (entry) => check.see(entry));
    const same = root && !rootChanged(rootOf(fs), root);
    const found = !same ? undefined : await look().catch((error) => {
      throw refused(error, step.label);
    });
    if (!found || check.odd) {
      // The daemon has the result; this process writes the layer of it as it should be.
      const { started } = pushed;
      const again = await this.#solve(step, { ...io, output() {} }, { ...solving, push: false });
      const solved = { ...again, started };
      return { ...await this.#handedOver(step, io, { solved, plan, image, exchange }), spare };
    }
    if (check.entries === 0) return { spare };
    const { diffId, index } = found;
    const { mediaType, digest, size } = described;
    const place = repository.name;
    return {
      layer: { diffId, index, blob: Promise.resolve({ mediaType, digest, size, diffId, place }) },
      spare,
      config,
    };
  }

  /** The layer of a step that came here. */
  async #handedOver(
    step: BuildStep,
    io: StepIo,
    { solved: { manifest, started }, plan: { rootCopy }, image, exchange }: {
      readonly solved: Solved;
      readonly plan: StepPlan;
      readonly image: ShelfImage;
      readonly exchange: StepExchange;
    },
  ): Promise<StepResult> {
    const layers = await newLayers(manifest, image.layers, exchange);
    const tar = `${exchange.directory}/layer-${crypto.randomUUID()}.tar`;
    try {
      const { epoch, label } = step;
      const made = await canonicalLayer({ layers, rootCopy, root: rootOf(image.fs), tar, epoch, started })
        .catch((error) => {
          throw refused(error, label);
        });
      io.signal.throwIfAborted();
      return made ? { layer: await this.#layer(made, tar, step) } : {};
    } catch (error) {
      await Deno.remove(tar).catch(() => {}); // the failure is the news
      throw error;
    }
  }

  async buildDockerfile(step: DockerfileStep, io: StepIo): Promise<DockerfileResult> {
    io.signal.throwIfAborted();
    const { buildDockerfileAt } = await import("./dockerfile_build.ts");
    const { store, platform } = this.request;
    return await abortable(
      this.#fleet.use(
        this.#user(step.signature, io),
        (daemon, leave) =>
          buildDockerfileAt(daemon, step, leaving(io, leave), {
            platform,
            env: this.options.env,
            looks: this.#looks,
            scratch: () => store.blobs.scratch(),
            path: (digest) => store.blobs.path(digest),
            layer: (made, tar) => this.#layer(made, tar, step),
          }),
      ),
      io.signal,
    );
  }

  async copy(
    image: PinnedImage & Pick<ImageState, "layers">,
    to: SharedPlace,
    signal: AbortSignal,
  ): Promise<Digest> {
    const { copyImage } = await import("./image_copy.ts");
    const { platform } = this.request;
    const user = { key: image.digest, signal, placed() {}, say() {} };
    return await this.#fleet.use(
      user,
      (daemon) => copyImage(daemon, image, { to, platform, env: this.options.env, signal }),
    );
  }

  async look(layer: Layer, at: LayerPlace, signal: AbortSignal): Promise<LayerIndex | undefined> {
    const user = { key: layer.diffId, signal, placed() {}, say() {} };
    return await this.#fleet.use(
      user,
      async (daemon) => (await this.#looks.look(daemon, layer, { at, signal }))?.index,
    );
  }

  #plan(
    step: BuildStep,
    fs: ShelfImage["fs"],
    ground: Pick<StepGround, "manifest" | "repository" | "program">,
  ) {
    const rootLook = rootCommand(fs, step.label);
    if (step.mounts.some(({ kind }) => kind === "tmp")) this.#temporary = true;
    return planStep(step, {
      platform: this.request.platform,
      shell: shellOf(fs, step.label),
      run: this.#runId,
      ...ground,
      ...(rootLook !== undefined && { rootLook }),
    });
  }

  async shell(step: ShellStep, signal: AbortSignal): Promise<number> {
    const key = step.parents.at(-1)?.diffId ?? "";
    return await this.#fleet.use(
      { key, signal, placed() {}, say() {} },
      (daemon) => this.#shellAt(daemon, step, signal),
    );
  }

  async #shellAt(daemon: Daemon, step: ShellStep, signal: AbortSignal): Promise<number> {
    const { label, network, mounts, argv, cwd, user, env } = step;
    requireNetwork(step, daemon);
    using image = await abortable(this.#shelf.image(step.parents), signal);
    await using exchange = new StepExchange(image, await this.request.store.blobs.scratch());
    const { platform } = this.request;
    this.#temporary ||= mounts.some((mount) => mount.kind === "tmp");
    using session = this.#session(daemon, exchange, {});
    try {
      return await withGateway(daemon.client, {
        session: session.id,
        entitlements: network === "host" ? ["network.host"] : [],
        exporters: [],
        events: {},
        signal,
      }, async (gateway) => {
        const definition = planImage(label, { platform, manifest: image.manifest });
        const resultID = nameOf(await gateway.solve({ definition }, signal));
        const container = {
          Mounts: [
            { dest: "/", ...UNKEPT, resultID },
            ...mounts.map((mount) => ({ ...mountOf(mount, this.#runId), ...UNKEPT })),
          ],
          Network: NETWORKS[network ?? "private"],
          hostname: "dapp",
          platform: platformOf(platform),
        };
        return await runInteractive(gateway, container, {
          args: plainly(image, argv, env),
          env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
          cwd,
          user,
        }, signal);
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isLost(error)) throw unavailable([daemon.address.text], error);
      if (refusesHostNetwork(error)) throw hostRefused(label, daemon.address.text, error);
      throw shellError(error, label);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#compressing);
    await this.#sessions[Symbol.asyncDispose]();
    // What cannot be removed now is removed by the daemons' own rules.
    await this.#fleet.close(async ({ client }) => {
      if (this.#temporary) await client.prune(`description~=${this.#runId}`);
    });
  }

  async #solve(step: BuildStep, io: StepIo, solving: Solving): Promise<Solved> {
    const { network } = step;
    const { platform } = this.request;
    const { daemon, plan, fs, exchange, shared, push } = solving;
    const { mounts, mark } = plan;
    const definition = push ? plan.definition : plan.withRootCopy;
    using session = push && shared && !hasSecrets(step)
      ? await this.#sessions.take(daemon, shared)
      : this.#session(daemon, exchange, io, shared);
    const output = new StepOutput(mark, (stream, text) => io.output(stream, text));
    let vertex: string | undefined;
    let started: number | undefined;
    let ran = false;
    try {
      const options: DriveOptions = {
        session: session.id,
        entitlements: network === "host" ? ["network.host"] : [],
        exporters: [push && shared ? pushExporter(shared, step) : HAND_OVER],
        events: {
          vertex(seen) {
            if (seen.name !== step.label) return;
            vertex = seen.digest;
            started = seen.started ?? started;
            ran ||= seen.started !== undefined && !seen.cached;
            if (seen.ended && seen.error === undefined) io.ran?.();
          },
          log({ vertex: of, stream, bytes }) {
            if (of === vertex) output.push(stream, bytes);
          },
        },
        signal: io.signal,
      };
      const answer = await (io.onFailure
        ? buildWatched(daemon.client, { definition }, options, async (gateway, { mounts: names = [] }) => {
          output.end();
          const container = {
            Mounts: mounts.map((mount, i) => ({ ...mount, ...UNKEPT, resultID: names[i] ?? "" })),
            Network: NETWORKS[network ?? "private"],
            hostname: "dapp",
            platform: platformOf(platform),
          };
          await io.onFailure!(() =>
            this.#shellInFailed(gateway, container, step, fs, io.signal)
          );
        })
        : build(daemon.client, { definition }, options));
      output.end();
      if (!ran) io.output("stderr", `(the result was in the cache of ${daemon.address.text})\n`);
      const manifest = answer["containerimage.digest"] ?? "";
      return { manifest, started: Math.floor(started ?? Infinity), output };
    } catch (error) {
      output.end();
      if (io.signal.aborted) throw io.signal.reason;
      if (isLost(error)) throw unavailable([daemon.address.text], error);
      if (refusesHostNetwork(error)) throw hostRefused(step.label, daemon.address.text, error);
      throw stepError(error, step, output, daemon.address.text);
    }
  }

  #session(
    { client }: Daemon,
    exchange: StepExchange,
    { secret, sshAgent }: Pick<StepIo, "secret" | "sshAgent">,
    at?: LayerPlace,
  ): Session {
    return client.session([
      ...contentService({ [`oci:${STORE}`]: exchange, export: exchange }),
      ...authService(at ? logins(at, this.options.env) : () => Promise.resolve(undefined)),
      ...secretService((id) => secret?.(id)),
      ...sshService((id) => sshAgent?.(id)),
    ]);
  }

  /** A shell in what a command has left behind. */
  async #shellInFailed(
    gateway: Gateway,
    container: Container,
    { label, env }: BuildStep,
    fs: ShelfImage["fs"],
    signal: AbortSignal,
  ): Promise<number> {
    const term = this.options.env.TERM;
    const variables = { ...env, ...(term && { TERM: term }) };
    try {
      return await runInteractive(gateway, container, {
        args: plainly({ fs }, [shellOf(fs, label)], variables),
        env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
        cwd: "/",
        user: "",
      }, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw shellError(error, label);
    }
  }

  async #layer(
    { diffId, index }: CanonicalLayer,
    tar: string,
    { compression }: Pick<BuildStep, "compression">,
  ): Promise<NonNullable<StepResult["layer"]>> {
    const file = `${await this.request.store.blobs.scratch()}/layer-${crypto.randomUUID()}`;
    const { size } = await Deno.stat(tar);
    const kept = this.#shelf.keep(diffId, tar, size, index);
    const threads = Math.max(1, navigator.hardwareConcurrency - 1); // the next stage runs meanwhile
    const blob = compressTarFile(tar, file, compression, threads).then(({ digest, size, mediaType }) => {
      kept.stored();
      return { digest: digest as Digest, size, mediaType, diffId, file };
    });
    const done = blob.catch(() => {});
    this.#compressing.add(done);
    done.finally(() => this.#compressing.delete(done));
    return { diffId, index, blob };
  }
}

/** @throws BUILDER_UNAVAILABLE when steps of this daemon have no network of their own */
function requireNetwork(
  { label, network }: Pick<BuildStep, "label" | "network">,
  { address, network: kind }: Daemon,
): void {
  if (network !== "private" || kind !== "host") return;
  throw new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot build stage "${label}" with a network of its own: BuildKit at "${address.text}" gives all steps the network ` +
      "of its machine",
    { fix: "Set networkMode of its worker to bridge or cni, or build with --network none" },
  );
}

/** The same, which makes room for other steps as soon as no command runs any more. */
function leaving(io: StepIo, leave: () => void): StepIo {
  return {
    ...io,
    ran() {
      leave();
      io.ran?.();
    },
  };
}

/** Whether a step's session must be its own. */
function hasSecrets({ mounts, secretEnv }: BuildStep): boolean {
  return secretEnv !== undefined || mounts.some(({ kind }) => kind === "secret" || kind === "ssh");
}

function platformOf({ os, architecture, variant = "" }: BuilderRequest["platform"]) {
  return { OS: os, Architecture: architecture, Variant: variant };
}

/** A command in the environment that it is given; without a shell in the image, with what BuildKit adds. */
function plainly(
  { fs }: Pick<ShelfImage, "fs">,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const shell = findShell(fs);
  return shell === undefined
    ? argv
    : [shell, "-c", `${unsetAdded({ env }, ["HOME"])}; exec "$@"`, shell, ...argv];
}
