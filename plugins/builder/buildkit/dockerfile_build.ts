import { create } from "@bufbuild/protobuf";
import {
  type Digest,
  digestOf,
  type DockerfileBase,
  type DockerfileResult,
  type DockerfileStep,
  EngineError,
  type ImageConfig,
  isDigest,
  type Layer,
  type OciPlatform,
  type PinnedImage,
  type StepIo,
} from "../../../core/contract/plugin.ts";
import type { SolveEvents } from "../../../lib/buildkit/client.ts";
import { authService, secretService, sshService } from "../../../lib/buildkit/attachables.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import { fileService, type SharedEntry } from "../../../lib/buildkit/filesync.ts";
import {
  MatchType,
  PolicyAction,
  PolicySchema,
} from "../../../lib/buildkit/gen/github.com/moby/buildkit/sourcepolicy/pb/policy_pb.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import { renameBases } from "../../../lib/dockerfile/rename.ts";
import { plainName } from "../../../lib/dockerfile/stages.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import type { Environment } from "./address.ts";
import { refused } from "./canonical.ts";
import { clampedLayer } from "./clamped_layer.ts";
import type { Daemon } from "./daemon.ts";
import { dockerfileError } from "./dockerfile_failure.ts";
import { takePushed } from "./dockerfile_push.ts";
import { build, buildWatched, type DriveOptions } from "./drive.ts";
import { hostRefused, isLost, refusesHostNetwork, unavailable } from "./failure.ts";
import { HAND_OVER } from "./hand_over.ts";
import type { LayerLooks } from "./layer_looks.ts";
import type { LayerPress } from "./layer_press.ts";
import { namedBlobs, type ShelfBlob } from "./layer_shelf.ts";
import { logins } from "./registry_login.ts";
import { newLayersExporter } from "./shared_layer.ts";
import { StepExchange } from "./step_exchange.ts";
import { STORE } from "./step_plan.ts";
import { StepLog } from "./step_log.ts";

/** Name of the Dockerfile in the directory that the daemon reads it from. */
const FILE = "Dockerfile";
const CHUNK = 1 << 18;

/** What the builder does for it. */
export interface DockerfileMeans {
  readonly platform: OciPlatform;
  scratch(): Promise<string>;
  /** Where a blob of the store is. */
  path(digest: Digest): string;
  /** Compresses new layers. */
  readonly press: Pick<LayerPress, "take">;
  /** Looks into layers that were pushed. */
  readonly looks: LayerLooks;
  /** Where logins are looked for. */
  readonly env: Environment;
}

/**
 * Lets a daemon's own front end build a Dockerfile. It gets files, images and values from here alone: an image that
 * nobody signed is refused by the daemon itself.
 */
export async function buildDockerfileAt(
  daemon: Daemon,
  step: DockerfileStep,
  io: StepIo,
  means: DockerfileMeans,
): Promise<DockerfileResult> {
  const { network, epoch, label } = step;
  const bases = await Promise.all(step.bases.map((base) => shelve(base, means)));
  const blobs = new Map(bases.flatMap((base) => [...base.blobs]));
  const scratch = await means.scratch();
  await using exchange = new StepExchange({ blobs }, scratch);
  const text = renamed(step, bases, means.platform);
  const origins = bases.flatMap(({ at }) => at ? [at.repository] : []);
  using session = daemon.client.session([
    ...contentService({ [`oci:${STORE}`]: exchange, export: exchange }),
    ...authService(
      step.shared ? logins(step.shared, means.env, origins) : () => Promise.resolve(undefined),
    ),
    ...secretService((id) => step.secrets.includes(id) ? io.secret?.(id) : undefined),
    ...sshService((id) => step.ssh.includes(id) ? io.sshAgent?.(id) : undefined),
    ...fileService({
      time: epoch,
      entries: { context: step.context.map(sharedEntry), dockerfile: [memoryEntry(FILE, text)] },
    }),
  ], step.contextId);
  const log = new StepLog((stream, line) => io.output(stream, line));
  const { shared } = step;
  const solve = async (
    { type, attrs }: DriveOptions["exporters"][number],
    { forced = false, events = {} }: { readonly forced?: boolean; readonly events?: SolveEvents },
  ) => {
    const wanted = { frontend: "dockerfile.v0", attrs: attributes(step, bases, means.platform, forced) };
    const options: DriveOptions = {
      session: session.id,
      entitlements: network === "host" ? ["network.host"] : [],
      exporters: [{ type, attrs }],
      events,
      signal: io.signal,
      policy: policyFor(bases),
    };
    const answer =
      await (io.onFailure
        ? buildWatched(daemon.client, wanted, options, async (gateway, facts) => {
          const { shellInDockerfile } = await import("./dockerfile_shell.ts");
          const { platform, env: { TERM: term } } = means;
          await io.onFailure!((when = "after") =>
            shellInDockerfile(gateway, { platform, term, facts, label, when, signal: io.signal })
          );
        })
        : build(daemon.client, wanted, options));
    return answer["containerimage.digest"] ?? "";
  };
  const handedOver = (manifest: string) => take(manifest, { step, exchange, means, log, scratch });
  try {
    const exporter = shared ? newLayersExporter(shared, step) : HAND_OVER;
    const manifest = await solve(exporter, { forced: step.forced ?? false, events: log });
    io.ran?.();
    if (!shared) return await handedOver(manifest);
    const { spare, ...pushed } = await takePushed(manifest, {
      step,
      shared,
      platform: means.platform,
      started: Math.floor(log.started),
      look: (layer, each) => means.looks.look(daemon, layer, { at: shared, signal: io.signal }, each),
      signal: io.signal,
    });
    // The daemon has the result; this process writes its layers as they should be.
    return { spare, ...pushed.image ?? await handedOver(await solve(HAND_OVER, {})) };
  } catch (error) {
    if (io.signal.aborted) throw io.signal.reason;
    if (isLost(error)) throw unavailable([daemon.address.text], error);
    if (network === "host" && refusesHostNetwork(error)) throw hostRefused(label, daemon.address.text, error);
    throw unreadBase(error, bases, daemon) ?? dockerfileError(error, step, log.failed?.name);
  }
}

/** The daemon may take these images, and no others. */
function policyFor(bases: readonly ShelvedBase[]) {
  return create(PolicySchema, {
    version: 1n,
    rules: [
      {
        action: PolicyAction.DENY,
        selector: { identifier: "docker-image://*", matchType: MatchType.WILDCARD },
      },
      ...bases.flatMap(({ at }) =>
        at === undefined ? [] : [{
          action: PolicyAction.ALLOW,
          selector: { identifier: `docker-image://${pinned(at)}`, matchType: MatchType.EXACT },
        }]
      ),
    ],
  });
}

function pinned({ repository, digest }: PinnedImage): string {
  return `${repository}@${digest}`;
}

/** What it means that the daemon could not read one of the images where it is; undefined for any other failure. */
function unreadBase(error: unknown, bases: readonly ShelvedBase[], { address }: Daemon): unknown {
  if (!isRpcError(error)) return undefined;
  const { details } = error;
  const base = bases.find(({ at }) => at && details.includes(pinned(at)));
  return base && new EngineError(
    "SOURCE_NOT_FOUND",
    `BuildKit at "${address.text}" cannot read image "${base.name}": ${details}`,
    { cause: error },
  );
}

/** A base image as the daemon reads it. */
interface ShelvedBase extends DockerfileBase {
  readonly manifest: Digest;
  readonly blobs: ReadonlyMap<string, ShelfBlob>;
}

async function shelve(base: DockerfileBase, { path }: DockerfileMeans): Promise<ShelvedBase> {
  const { at, image: { layers, config } } = base;
  if (at) return { ...base, manifest: at.digest, blobs: namedBlobs(layers) };
  const blobs = new Map<string, ShelfBlob>(
    layers.map(({ digest, size }) => [digest, { file: path(digest), size }]),
  );
  const document = async (value: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const digest = await digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const { digest } = await document({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...await document(config) },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  return { ...base, manifest: digest, blobs };
}

/** What the front end is asked for. */
function attributes(
  { args, proxies, target, epoch, network, cacheScope }: DockerfileStep,
  bases: readonly ShelvedBase[],
  platform: OciPlatform,
  forced: boolean,
): Record<string, string> {
  const own = platformText(platform);
  const { os, architecture, variant = "" } = platform;
  const values: Readonly<Record<string, string>> = {
    ...proxies,
    // Signatures know no daemon, so its own platform has no say.
    BUILDPLATFORM: own,
    BUILDOS: os,
    BUILDARCH: architecture,
    BUILDVARIANT: variant,
    SOURCE_DATE_EPOCH: String(epoch),
    BUILDKIT_CACHE_MOUNT_NS: cacheScope,
    ...args,
  };
  const rows: [string, string][] = [
    ["filename", FILE],
    ["platform", own],
    // The daemon's own front end reads the file, whatever its first line says.
    ["cmdline", "docker/dockerfile"],
    ...Object.entries(values).map(([name, value]): [string, string] => [`build-arg:${name}`, value]),
    ...bases.map((base): [string, string] => [
      `context:${contextName(base)}::${base.platform ?? own}`,
      base.at ? `docker-image://${pinned(base.at)}` : `oci-layout://${STORE}@${base.manifest}`,
    ]),
  ];
  if (target !== undefined) rows.push(["target", target]);
  if (network === "host" || network === "none") rows.push(["force-network-mode", network]);
  if (forced) rows.push(["no-cache", ""]);
  return Object.fromEntries(rows);
}

/** The name under which the front end looks for an image that it is given. */
function contextName({ name, manifest, ambiguous }: ShelvedBase): string {
  return ambiguous ? `${plainName(name).replace(/@.*/, "")}@${manifest}` : plainName(name);
}

/** The Dockerfile with other names for those images that are called as a stage is. */
function renamed(step: DockerfileStep, bases: readonly ShelvedBase[], platform: OciPlatform): string {
  const { text, args, target } = step;
  const names = new Map(
    bases.flatMap((base) => base.ambiguous ? [[base.name, contextName(base)] as const] : []),
  );
  return renameBases(text, { args, target, platform: platformText(platform) }, names);
}

function platformText({ os, architecture, variant }: OciPlatform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join("/");
}

function sharedEntry(entry: DockerfileStep["context"][number]): SharedEntry {
  if (entry.kind !== "file") return entry;
  const { path, mode, kind, file, offset, size } = entry;
  return { path, mode, kind, size, read: () => readPart(file, offset, size) };
}

function memoryEntry(path: string, text: string): SharedEntry {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    kind: "file",
    mode: 0o644,
    size: bytes.length,
    async *read() {
      for (let at = 0; at < bytes.length; at += CHUNK) {
        yield await Promise.resolve(bytes.subarray(at, at + CHUNK));
      }
    },
  };
}

async function* readPart(path: string, offset: number, size: number): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let left = size; left > 0;) {
    const chunk = new Uint8Array(Math.min(left, CHUNK));
    const count = await file.read(chunk);
    if (count === null) throw new Error(`Cannot read "${path}" back: it ends early`);
    left -= count;
    yield chunk.subarray(0, count);
  }
}

interface Taken {
  readonly step: DockerfileStep;
  readonly exchange: StepExchange;
  readonly means: DockerfileMeans;
  readonly log: StepLog;
  readonly scratch: string;
}

/** The image that the daemon has handed over. */
async function take(
  manifest: string,
  { step, exchange, means, log, scratch }: Taken,
): Promise<DockerfileResult> {
  const { config: { digest }, layers } = await exchange.document(manifest) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  const config = await exchange.document(digest) as ImageConfig;
  const bases = new Map<string, Layer>(
    step.bases.flatMap(({ image }) => image.layers.map((layer) => [layer.digest, layer] as const)),
  );
  const taken: DockerfileResult["layers"][number][] = [];
  for (const { digest } of layers) {
    const known = isDigest(digest) ? bases.get(digest) : undefined;
    if (known) {
      // Pushed with the image, if there is where to.
      taken.push(step.shared ? { ...known, place: step.shared.repository.name } : known);
      continue;
    }
    const tar = `${scratch}/layer-${crypto.randomUUID()}.tar`;
    try {
      const made = await clampedLayer({
        layer: exchange.file(digest),
        tar,
        epoch: step.epoch,
        started: Math.floor(log.started),
      });
      taken.push(await means.press.take(made, tar, step));
    } catch (error) {
      await Deno.remove(tar).catch(() => {}); // the failure is the news
      throw refused(error, step.label);
    }
  }
  return {
    config: { ...config, rootfs: { type: "layers", diff_ids: taken.map(({ diffId }) => diffId) } },
    layers: taken,
  };
}
