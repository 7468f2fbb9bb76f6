import { abortable } from "@std/async/abortable";
import type { BuildStep, OciPlatform, ShellStep, StepNetwork } from "../../../core/contract/plugin.ts";
import { type Gateway, nameOf } from "../../../lib/buildkit/gateway.ts";
import type { LlbMount } from "../../../lib/buildkit/llb.ts";
import type { Daemon } from "./daemon.ts";
import { type Container, withGateway } from "./drive.ts";
import { daemonFailure, shellError } from "./failure.ts";
import { findShell, shellOf } from "./image_look.ts";
import { runInteractive } from "./interactive.ts";
import type { ShelfImage } from "./layer_shelf.ts";
import { StepExchange } from "./step_exchange.ts";
import { openSession, type StepMeans } from "./step_means.ts";
import { mountOf, NETWORKS, planImage, unsetAdded } from "./step_plan.ts";

/** A mount of which nothing is kept, and that stands on nothing but its own name. */
const UNKEPT = { input: -1n, output: -1n };

/** Runs a command in an image with this process's own streams, and gives its exit code. @throws RUN_FAILED */
export async function runShell(
  daemon: Daemon,
  { label, parents, network, mounts, argv, cwd, user, env }: ShellStep,
  { platform, run, shelf, scratch }: StepMeans,
  signal: AbortSignal,
): Promise<number> {
  using image = await abortable(shelf.image(parents), signal);
  await using exchange = new StepExchange(image, await scratch());
  using session = openSession(daemon, exchange, {});
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
      const container = containerOf(
        [{ dest: "/", resultID }, ...mounts.map((mount) => mountOf(mount, run))],
        { network, platform },
      );
      return await runInteractive(gateway, container, {
        args: plainly(image, argv, env),
        env: rowsOf(env),
        cwd,
        user,
      }, signal);
    });
  } catch (error) {
    throw daemonFailure(error, { label, daemon, signal }) ?? shellError(error, label);
  }
}

/** What is to be seen of a step whose command failed. */
export interface FailedStep {
  readonly step: BuildStep;
  /** What the command had mounted, and the names of what these show now. */
  readonly mounts: readonly LlbMount[];
  readonly names: readonly string[];
  readonly fs: ShelfImage["fs"];
  readonly platform: OciPlatform;
  readonly term: string | undefined;
  readonly signal: AbortSignal;
}

/** A shell in what a command has left behind. @throws RUN_FAILED */
export async function shellInFailed(
  gateway: Gateway,
  { step: { label, env, network }, mounts, names, fs, platform, term, signal }: FailedStep,
): Promise<number> {
  const variables = { ...env, ...(term && { TERM: term }) };
  const shown = mounts.map((mount, i) => ({ ...mount, resultID: names[i] ?? "" }));
  try {
    return await runInteractive(gateway, containerOf(shown, { network, platform }), {
      args: plainly({ fs }, [shellOf(fs, label)], variables),
      env: rowsOf(variables),
      cwd: "/",
      user: "",
    }, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw shellError(error, label);
  }
}

function containerOf(
  mounts: readonly (Omit<LlbMount, "input" | "output"> & { readonly resultID?: string })[],
  { network = "private", platform: { os, architecture, variant = "" } }: {
    readonly network: StepNetwork | undefined;
    readonly platform: OciPlatform;
  },
): Container {
  return {
    Mounts: mounts.map((mount) => ({ ...mount, ...UNKEPT })),
    Network: NETWORKS[network],
    hostname: "dapp",
    platform: { OS: os, Architecture: architecture, Variant: variant },
  };
}

function rowsOf(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
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
