import { abortable } from "@std/async/abortable";
import {
  type Builder,
  type BuilderRequest,
  type BuildStep,
  type Digest,
  type DockerfileResult,
  type DockerfileStep,
  EngineError,
  type LayerRef,
  type ShellStep,
  type StepIo,
  type StepResult,
} from "../../../core/contract/plugin.ts";
import { compressTarFile } from "../../../lib/layer/writer.ts";
import { authService, secretService, sshService } from "../../../lib/buildkit/attachables.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import type { Gateway } from "../../../lib/buildkit/gateway.ts";
import type { Session } from "../../../lib/buildkit/session.ts";
import { type CanonicalLayer, canonicalLayer, ContentError } from "./canonical.ts";
import type { Daemon } from "./daemon.ts";
import { build, buildWatched, type Container, type DriveOptions, withGateway } from "./drive.ts";
import { hostRefused, isLost, refusesHostNetwork, shellError, stepError, unavailable } from "./failure.ts";
import { type BuildkitOptions, Fleet, type FleetUser } from "./fleet.ts";
import { findShell, rootCommand, rootOf, shellOf } from "./image_look.ts";
import { runInteractive } from "./interactive.ts";
import { LayerShelf, type ShelfImage } from "./layer_shelf.ts";
import { StepExchange } from "./step_exchange.ts";
import { StepOutput } from "./step_output.ts";
import { mountOf, NETWORKS, planImage, planStep, STORE, unsetAdded } from "./step_plan.ts";

/** How layers travel: the daemon compresses fast, and what comes is compressed anew as all layers of dapp are. */
const TRAVEL = { compression: "zstd", "compression-level": "1" };

/** A mount of which nothing is kept, and that stands on nothing but its own name. */
const UNKEPT = { input: -1n, output: -1n };

/** What a daemon built. */
interface Solved {
  /** Files of the new layers, lowest first. */
  readonly layers: readonly string[];
  /** Seconds since 1970 by the daemon's clock. */
  readonly started: number;
}

/**
 * Builds in BuildKit daemons, here or elsewhere. A daemon reads the layers a step stands on from this process and hands the
 * new one over to it; nothing but the step is left to the daemon.
 */
export class BuildkitBuilder implements Builder {
  readonly name = "buildkit";
  readonly mounts = ["cache", "tmp", "secret", "ssh"] as const;
  readonly #shelf: LayerShelf;
  readonly #runId = crypto.randomUUID();
  readonly #fleet: Fleet;
  #temporary = false;
  readonly #compressing = new Set<Promise<unknown>>();

  constructor(readonly request: BuilderRequest, readonly options: BuildkitOptions) {
    const { store, platform, onLayer } = request;
    this.#shelf = new LayerShelf(store, platform, onLayer);
    this.#fleet = new Fleet(options, platform, () => store.blobs.scratch());
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
    return await abortable(this.#fleet.use(user, (daemon) => this.#runAt(daemon, step, io)), io.signal);
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
    using image = await abortable(this.#shelf.image(step.parents), io.signal);
    await using exchange = new StepExchange(image, await this.request.store.blobs.scratch());
    const { rootCopy, layers, started } = await this.#solve(step, io, { daemon, image, exchange });
    const tar = `${exchange.directory}/layer-${crypto.randomUUID()}.tar`;
    try {
      const { epoch, label } = step;
      const made = await canonicalLayer({ layers, rootCopy, root: rootOf(image.fs), tar, epoch, started })
        .catch((error) => {
          if (!(error instanceof ContentError)) throw error;
          throw new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${error.message}`);
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
        (daemon) =>
          buildDockerfileAt(daemon, step, io, {
            platform,
            scratch: () => store.blobs.scratch(),
            path: (digest) => store.blobs.path(digest),
            layer: (made, tar) => this.#layer(made, tar, step),
          }),
      ),
      io.signal,
    );
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
        const resultID = await gateway.solve(
          planImage(label, { platform, manifest: image.manifest }),
          signal,
        );
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
    // What cannot be removed now is removed by the daemons' own rules.
    await this.#fleet.close(async ({ client }) => {
      if (this.#temporary) await client.prune(`description~=${this.#runId}`);
    });
  }

  async #solve(
    step: BuildStep,
    io: StepIo,
    { daemon, image, exchange }: {
      readonly daemon: Daemon;
      readonly image: ShelfImage;
      readonly exchange: StepExchange;
    },
  ): Promise<Solved & { readonly rootCopy: string }> {
    const { network } = step;
    const { platform } = this.request;
    const rootLook = rootCommand(image.fs, step.label);
    const { definition, mounts, mark, rootCopy } = planStep(step, {
      platform,
      shell: shellOf(image.fs, step.label),
      manifest: image.manifest,
      run: this.#runId,
      ...(rootLook !== undefined && { rootLook }),
    });
    if (step.mounts.some(({ kind }) => kind === "tmp")) this.#temporary = true;
    using session = this.#session(daemon, exchange, io);
    const output = new StepOutput(mark, (stream, text) => io.output(stream, text));
    let vertex: string | undefined;
    let started: number | undefined;
    let ran = false;
    try {
      const options: DriveOptions = {
        session: session.id,
        entitlements: network === "host" ? ["network.host"] : [],
        exporters: [{ type: "oci", attrs: { tar: "false", "oci-mediatypes": "true", ...TRAVEL } }],
        events: {
          vertex(seen) {
            if (seen.name !== step.label) return;
            vertex = seen.digest;
            started = seen.started ?? started;
            ran ||= seen.started !== undefined && !seen.cached;
          },
          log({ vertex: of, stream, bytes }) {
            if (of === vertex) output.push(stream, bytes);
          },
        },
        signal: io.signal,
      };
      const answer = await (io.onFailure
        ? buildWatched(daemon.client, definition, options, async (gateway, names) => {
          output.end();
          const container = {
            Mounts: mounts.map((mount, i) => ({ ...mount, ...UNKEPT, resultID: names[i] ?? "" })),
            Network: NETWORKS[network ?? "private"],
            hostname: "dapp",
            platform: platformOf(platform),
          };
          await io.onFailure!(() =>
            this.#shellInFailed(gateway, container, step, image, io.signal)
          );
        })
        : build(daemon.client, definition, options));
      output.end();
      if (!ran) io.output("stderr", `(the result was in the cache of ${daemon.address.text})\n`);
      const layers = await newLayers(answer["containerimage.digest"] ?? "", image, exchange);
      return { layers, started: Math.floor(started ?? Infinity), rootCopy };
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
  ): Session {
    return client.session([
      ...contentService({ [`oci:${STORE}`]: exchange, export: exchange }),
      ...authService(() => Promise.resolve(undefined)),
      ...secretService((id) => secret?.(id)),
      ...sshService((id) => sshAgent?.(id)),
    ]);
  }

  /** A shell in what a command has left behind. */
  async #shellInFailed(
    gateway: Gateway,
    container: Container,
    { label, env }: BuildStep,
    image: ShelfImage,
    signal: AbortSignal,
  ): Promise<number> {
    const term = this.options.env.TERM;
    const variables = { ...env, ...(term && { TERM: term }) };
    try {
      return await runInteractive(gateway, container, {
        args: plainly(image, [shellOf(image.fs, label)], variables),
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

function platformOf({ os, architecture, variant = "" }: BuilderRequest["platform"]) {
  return { OS: os, Architecture: architecture, Variant: variant };
}

/** A command in the environment that it is given; without a shell in the image, with what BuildKit adds. */
function plainly(
  { fs }: ShelfImage,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const shell = findShell(fs);
  return shell === undefined
    ? argv
    : [shell, "-c", `${unsetAdded({ env }, ["HOME"])}; exec "$@"`, shell, ...argv];
}

/** Files of the layers that are new upon the image. */
async function newLayers(
  manifest: string,
  image: ShelfImage,
  exchange: StepExchange,
): Promise<readonly string[]> {
  const { layers } = await exchange.document(manifest) as { layers: readonly { digest: string }[] };
  return layers.slice(image.layers).map(({ digest }) => exchange.file(digest));
}
