/** One stage, inside a helper process: file system, commands, capture. */
import { EngineError } from "../../../core/contract/errors.ts";
import { CaptureError, captureLayer } from "./capture.ts";
import { bootId, LayerCache, type LayerMeta, layerName } from "./cache.ts";
import { resolveInside } from "./inner_path.ts";
import { lstat, lstatIfPresent, type Stat, SyscallError } from "./libc.ts";
import { openLowerView } from "./lower_view.ts";
import { forwardOutput } from "./output.ts";
import type { Captured, RunRequest } from "./protocol.ts";
import { mountRootfs, prepareStep, RootfsError, stepPaths } from "./rootfs.ts";
import { killAll, reapOrphans, spawnInside } from "./sandbox.ts";
import { CONTROL, explainExit, stageScript } from "./script.ts";

export interface StepEvents {
  output(stream: "stdout" | "stderr", text: string): Promise<void>;
  readonly signal: AbortSignal;
}

/** Runs the commands and puts what they changed into the layer cache. The tar is left at `run`/t. */
export async function runStep(request: RunRequest, events: StepEvents): Promise<Captured> {
  const { label, commands, run, rootless } = request;
  const fail = (why: string, cause?: unknown) =>
    new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${why}`, { cause });
  const paths = stepPaths(run);
  prepareStep(request, { script: stageScript(commands), at: "" });
  const started = Math.floor(Date.now() / 1000);
  let placeholders = new Set<string>();
  let child: Deno.ChildProcess;
  try {
    child = spawnInside(run, () => void (placeholders = mountRootfs(request)), () => {
      const shell = shellOf("");
      if (!shell) throw new RootfsError("the image has no shell, neither /bin/bash nor /bin/sh");
      return start(shell, request.env);
    });
  } catch (error) {
    throw explainSetup(error, label, rootless);
  }
  const status = await finishCommands(child, events);
  events.signal.throwIfAborted();
  const why = explainExit(commands, Deno.readTextFileSync(`${paths.control}/at`), status);
  if (why) throw fail(why);
  try {
    return await capture(request, placeholders, started);
  } catch (error) {
    throw error instanceof CaptureError ? fail(error.message) : error;
  }
}

/** What kept a step's file system from being set up, as something a person can act on. */
function explainSetup(error: unknown, label: string, rootless: boolean): unknown {
  const what = `Cannot build stage "${label}"`;
  if (error instanceof RootfsError) return new EngineError("STAGE_FAILED", `${what}: ${error.message}`);
  if (error instanceof RangeError) return new EngineError("LAYER_INVALID", `${what}: ${error.message}`);
  if (!(error instanceof SyscallError) || error.call !== "mount overlay on") return error;
  const fix = rootless
    ? "Keep the store ($DAPP_HOME) on ext4, xfs or btrfs, use Linux 5.11 or later, or build as root"
    : "Keep the store ($DAPP_HOME) on ext4, xfs or btrfs; in a container, on a volume";
  const why = `overlayfs does not work on the file system of the store (${error.message})`;
  return new EngineError("BUILDER_UNAVAILABLE", `${what}: ${why}`, { fix, cause: error });
}

/** The first shell that exists in the tree `root`. */
export function shellOf(root: string): string | undefined {
  return ["/bin/bash", "/bin/sh"].find((path) => {
    const stat = lstatIfPresent(`${root}/${resolveInside(root, path)}`);
    return stat?.type === "file" && (stat.mode & 0o111) !== 0;
  });
}

function start(shell: string, env: Readonly<Record<string, string>>): Deno.ChildProcess {
  try {
    return new Deno.Command(shell, {
      args: ["-e", `${CONTROL}/script`],
      cwd: "/",
      clearEnv: true,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new RootfsError(
      `"${shell}" of the image cannot be started, is it for another processor, or lacks it its loader? ${text}`,
    );
  }
}

/** Waits for the shell; what it left running in the background is killed. */
async function finishCommands(
  child: Deno.ChildProcess,
  { output, signal }: StepEvents,
): Promise<Deno.CommandStatus> {
  const reaper = () => reapOrphans(child.pid);
  const stop = () => void killAll(child);
  Deno.addSignalListener("SIGCHLD", reaper);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const streams = (["stdout", "stderr"] as const).map((name) =>
      forwardOutput(child[name], (text) => output(name, text))
    );
    const status = await child.status;
    await killAll(child);
    await Promise.all(streams);
    return status;
  } finally {
    Deno.removeSignalListener("SIGCHLD", reaper);
    signal.removeEventListener("abort", stop);
  }
}

async function capture(request: RunRequest, placeholders: Set<string>, started: number): Promise<Captured> {
  const { run, native, lower, rootless, epoch, root } = request;
  const paths = stepPaths(run);
  using view = openLowerView(`${native}/l`, lower, paths.view, rootless);
  const result = captureLayer({
    upper: paths.upper,
    lower: view,
    tar: paths.tar,
    epoch,
    started,
    rootless,
    placeholders,
    root,
  });
  if (!result) return {};
  const { diffId, index } = result;
  const meta: LayerMeta = {
    format: 1,
    diffId,
    boot: bootId(),
    implicit: [],
    ...(result.rootChanged && { root: rootMeta(lstat(paths.upper)) }),
  };
  const name = await layerName(diffId);
  await new LayerCache(native).adopt(paths.wrapper, name, meta, `${run}/aside`);
  return { layer: { name, meta, index } };
}

function rootMeta({ mode, uid, gid, mtime }: Stat) {
  return { mode, uid, gid, mtime };
}
