import type {
  Digest,
  DockerfileResult,
  DockerfileStep,
  OciPlatform,
  StepIo,
} from "../../../core/contract/plugin.ts";
import { authService, secretService, sshService } from "../../../lib/buildkit/attachables.ts";
import type { SolveEvents } from "../../../lib/buildkit/client.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import { fileService } from "../../../lib/buildkit/filesync.ts";
import { formatPlatform } from "../../../lib/oci/platform.ts";
import type { Daemon } from "./daemon.ts";
import { contextRows, policyFor, renamed, shelve, type ShelvedBase, unreadBase } from "./dockerfile_bases.ts";
import { memoryEntry, sharedEntry } from "./dockerfile_entries.ts";
import { dockerfileError } from "./dockerfile_failure.ts";
import { takePushed } from "./dockerfile_push.ts";
import { takeHandedOver } from "./dockerfile_taken.ts";
import { build, buildWatched, type DriveOptions } from "./drive.ts";
import { hostRefused, isLost, refusesHostNetwork, unavailable } from "./failure.ts";
import { HAND_OVER } from "./hand_over.ts";
import { logins } from "./registry_login.ts";
import { newLayersExporter } from "./shared_layer.ts";
import { StepExchange } from "./step_exchange.ts";
import { StepLog } from "./step_log.ts";
import type { StepMeans } from "./step_means.ts";
import { STORE } from "./step_plan.ts";

/** Name of the Dockerfile in the directory that the daemon reads it from. */
const FILE = "Dockerfile";

/** What the builder does for it. */
export interface DockerfileMeans extends Pick<StepMeans, "platform" | "env" | "press" | "looks" | "scratch"> {
  /** Where a blob of the store is. */
  path(digest: Digest): string;
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
  await using exchange = new StepExchange({ blobs }, await means.scratch());
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
      policy: policyFor(bases, step),
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
  const handedOver = (manifest: string) =>
    takeHandedOver(manifest, { step, exchange, started: Math.floor(log.started) }, means.press);
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

/** What the front end is asked for. */
function attributes(
  { args, proxies, target, epoch, network, cacheScope }: DockerfileStep,
  bases: readonly ShelvedBase[],
  platform: OciPlatform,
  forced: boolean,
): Record<string, string> {
  const own = formatPlatform(platform);
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
    ...contextRows(bases, own),
  ];
  if (target !== undefined) rows.push(["target", target]);
  if (network === "host" || network === "none") rows.push(["force-network-mode", network]);
  if (forced) rows.push(["no-cache", ""]);
  return Object.fromEntries(rows);
}
