import type { BuildStep, SharedImage, StepIo } from "../../../core/contract/plugin.ts";
import type { Daemon } from "./daemon.ts";
import { build, buildWatched, type DriveOptions } from "./drive.ts";
import { daemonFailure, stepError } from "./failure.ts";
import { HAND_OVER } from "./hand_over.ts";
import type { ShelfImage } from "./layer_shelf.ts";
import { pushExporter } from "./shared_layer.ts";
import type { SharedSession } from "./shared_sessions.ts";
import type { StepExchange } from "./step_exchange.ts";
import { openSession, type StepMeans } from "./step_means.ts";
import { StepOutput } from "./step_output.ts";
import type { StepPlan } from "./step_plan.ts";

/** A step on its way through a daemon. */
export interface Solving {
  readonly daemon: Daemon;
  readonly step: BuildStep;
  readonly plan: StepPlan;
  readonly fs: ShelfImage["fs"];
  readonly exchange: StepExchange;
  /** Where the image below is, if that is a registry. */
  readonly shared?: SharedImage;
}

/** What a daemon built. */
export interface Solved {
  /** Digest of the manifest that its exporter made. */
  readonly manifest: string;
  /** Seconds since 1970 by the daemon's clock. */
  readonly started: number;
  readonly output: StepOutput;
}

/** Lets a daemon run a step and hand over its layer, with the copy of "/". @throws STAGE_FAILED, BUILDER_UNAVAILABLE */
export async function solveHere(solving: Solving, io: StepIo, means: StepMeans): Promise<Solved> {
  const { daemon, plan, exchange, shared } = solving;
  using session = openSession(daemon, exchange, io, shared && { at: shared, env: means.env });
  return await solve(solving, io, means, {
    session: session.id,
    definition: plan.withRootCopy,
    exporter: HAND_OVER,
  });
}

/** Lets a daemon run a step and leave its layer in the registry. @throws STAGE_FAILED, BUILDER_UNAVAILABLE */
export async function solveThere(
  solving: Solving & { readonly shared: SharedImage },
  io: StepIo,
  means: StepMeans,
): Promise<Solved> {
  const { daemon, step, plan, exchange, shared } = solving;
  using session: Pick<SharedSession, "id"> & Disposable = hasSecrets(step)
    ? openSession(daemon, exchange, io, { at: shared, env: means.env })
    : await means.sessions.take(daemon, shared);
  return await solve(solving, io, means, {
    session: session.id,
    definition: plan.definition,
    exporter: pushExporter(shared, step),
  });
}

async function solve(
  { daemon, step, plan: { mounts, mark }, fs }: Solving,
  io: StepIo,
  { platform, env: { TERM: term } }: StepMeans,
  { session, definition, exporter }: {
    readonly session: string;
    readonly definition: StepPlan["definition"];
    readonly exporter: DriveOptions["exporters"][number];
  },
): Promise<Solved> {
  const { label, network } = step;
  const { signal, onFailure } = io;
  const output = new StepOutput(mark, (stream, text) => io.output(stream, text));
  let vertex: string | undefined;
  let started: number | undefined;
  let ran = false;
  try {
    const options: DriveOptions = {
      session,
      entitlements: network === "host" ? ["network.host"] : [],
      exporters: [exporter],
      events: {
        vertex(seen) {
          if (seen.name !== label) return;
          vertex = seen.digest;
          started = seen.started ?? started;
          ran ||= seen.started !== undefined && !seen.cached;
          if (seen.ended && seen.error === undefined) io.ran?.();
        },
        log({ vertex: of, stream, bytes }) {
          if (of === vertex) output.push(stream, bytes);
        },
      },
      signal,
    };
    const answer = await (onFailure
      ? buildWatched(daemon.client, { definition }, options, async (gateway, { mounts: names = [] }) => {
        output.end();
        const { shellInFailed } = await import("./step_shell.ts");
        await onFailure(() =>
          shellInFailed(gateway, { step, mounts, names, fs, platform, term, signal })
        );
      })
      : build(daemon.client, { definition }, options));
    output.end();
    if (!ran) io.output("stderr", `(the result was in the cache of ${daemon.address.text})\n`);
    const manifest = answer["containerimage.digest"] ?? "";
    return { manifest, started: Math.floor(started ?? Infinity), output };
  } catch (error) {
    output.end();
    throw daemonFailure(error, { label, daemon, signal }) ??
      stepError(error, step, output, daemon.address.text);
  }
}

/** Whether a step's session must be its own. */
function hasSecrets({ mounts, secretEnv }: BuildStep): boolean {
  return secretEnv !== undefined || mounts.some(({ kind }) => kind === "secret" || kind === "ssh");
}
