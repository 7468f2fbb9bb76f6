/** One stage, inside a helper process: file system, commands, capture. */
import { Alarm } from "../../../lib/alarm.ts";
import { EngineError, type ErrorDetails } from "../../../core/contract/errors.ts";
import { fileFailureOf } from "../../../lib/file_failure.ts";
import { sleep } from "../../../lib/sleep.ts";
import { startAhead } from "../../../lib/compression/pool.ts";
import { type CapturedTar, CaptureError, captureLayer } from "./capture.ts";
import { bootId, LayerCache, type LayerMeta, layerName } from "./cache.ts";
import { type ConfinedProcess, socketFilter } from "./confine.ts";
import { shellOf } from "./image_shell.ts";
import { bindAhead, lstat, type Stat, SyscallError } from "./libc.ts";
import { openLowerView } from "./lower_view.ts";
import { forwardOutput } from "./output.ts";
import type { Captured, RunRequest } from "./protocol.ts";
import { mountMemory } from "./memory_mounts.ts";
import { noMoreProcesses } from "./process_limit.ts";
import { noRoom, Tail } from "./room.ts";
import { type MountedRootfs, mountRootfs, prepareStep, RootfsError, stepPaths } from "./rootfs.ts";
import { type Ended, type Inside, spawnInside } from "./sandbox.ts";
import { CONTROL, explainExit, stageScript } from "../_script.ts";
import { secretBinds } from "./secret_files.ts";
import { prepareGunzip } from "../../../lib/compression/gunzip.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { showLayers } from "./show_layers.ts";
import { makeSkeleton } from "./skeleton.ts";
import { ROOT } from "./users.ts";

/** A step that takes so long may leave much to compress. */
const LONG_STEP_MS = 250;

/** A helper that is asked for nothing for so long is to unpack what takes longer to come. */
const IDLE_MS = 50;

/** Compressing, which takes zlib of Node.js: it is loaded while commands run, as that takes longer than to start them. */
const compressing = () => import("../../../lib/layer/writer.ts");

export interface StepEvents {
  output(stream: "stdout" | "stderr", text: string): Promise<void>;
  readonly signal: AbortSignal;
}

/** What a step changed, and how to get it compressed. */
export interface RunStep {
  readonly captured: Captured;
  readonly blob?: CapturedTar["blob"];
}

/**
 * Makes what the first step takes, before there is one: its filter, what Deno loads when asked first, and unless there
 * is work by then, functions of the C library, and what uncompresses layers.
 */
export async function warmUp(isIdle: () => boolean): Promise<void> {
  socketFilter();
  void Deno.Command;
  createSha256();
  await import("./unpack_layer.ts");
  if (isIdle()) bindAhead();
  await sleep(IDLE_MS);
  if (isIdle()) await prepareGunzip();
}

/** Runs the commands and puts what they changed into the layer cache. */
export async function runStep(request: RunRequest, events: StepEvents): Promise<RunStep> {
  const { label, commands, run, rootless } = request;
  const fail = (why: string, details?: ErrorDetails) =>
    new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${why}`, details);
  await showLayers(request.native, request.lower);
  prepareStep(request);
  const started = Math.floor(Date.now() / 1000);
  let rootfs: MountedRootfs | undefined;
  let at: Deno.FsFile | undefined;
  const long = new Alarm();
  long.set(LONG_STEP_MS, startAhead);
  try {
    const inside = spawnInside(
      run,
      () => {
        mountMemory(request.mounts);
        rootfs = mountRootfs(
          request,
          { script: stageScript(commands, `${CONTROL}/at`), at: "" },
          secretBinds(request),
        );
        // Open before commands run: whatever they put in its place, this stays the file.
        at = Deno.openSync(`${rootfs.control}/at`);
        return rootfs;
      },
      () => shellProcess(request),
      { stdin: "null", stdout: "piped", stderr: "piped" },
    );
    compressing().catch(() => {}); // it fails again when it is needed
    const told = new Tail();
    const output = told.listened(events.output);
    const ended = await finishCommands(inside, { output, signal: events.signal });
    events.signal.throwIfAborted();
    const failed = explainExit(commands, readProgress(at!), ended);
    if (failed) {
      const { why, command } = failed;
      const room = noMoreProcesses(told.text) ?? await noRoom(request.native, told.text);
      throw room ? fail(`${why}; ${room.why}`, { command, ...room.details }) : fail(why, { command });
    }
  } catch (error) {
    throw explainSetup(error, label, rootless);
  } finally {
    long.stop();
    at?.close();
  }
  try {
    return await capture(request, rootfs!.placeholders, started);
  } catch (error) {
    throw error instanceof CaptureError ? fail(error.message) : error;
  }
}

/** The state file holds a number or a word; commands can write anything there. */
function readProgress(file: Deno.FsFile): string {
  const bytes = new Uint8Array(16);
  file.seekSync(0, Deno.SeekMode.Start);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

/** What kept a step's file system from being set up, as something a person can act on. */
function explainSetup(error: unknown, label: string, rootless: boolean): unknown {
  const what = `Cannot build stage "${label}"`;
  if (error instanceof RootfsError) {
    return new EngineError("STAGE_FAILED", `${what}: ${error.message}`, { cause: error.cause });
  }
  if (error instanceof RangeError) return new EngineError("LAYER_INVALID", `${what}: ${error.message}`);
  if (fileFailureOf(error)) return error;
  if (!(error instanceof SyscallError) || error.call !== "mount overlay on") return error;
  const fix = rootless
    ? "Keep the store ($DAPP_HOME) on ext4, xfs or btrfs (in a container: on a volume), use Linux 5.11 or later, or build as root"
    : "Keep the store ($DAPP_HOME) on ext4, xfs or btrfs; in a container, on a volume";
  const why = `overlayfs does not work on the file system of the store (${error.message})`;
  return new EngineError("BUILDER_UNAVAILABLE", `${what}: ${why}`, { fix, cause: error });
}

/** Runs the script. @throws STAGE_FAILED when the image has no shell */
function shellProcess({ label, run, env, network }: RunRequest): ConfinedProcess {
  const shell = shellOf(stepPaths(run).target);
  if (!shell) {
    throw new EngineError(
      "STAGE_FAILED",
      `Cannot build stage "${label}": the image has no shell, neither /bin/bash nor /bin/sh`,
      { fix: "Run the commands in an image with a shell, such as an artifact, and import what they make" },
    );
  }
  const argv = [shell, "-e", `${CONTROL}/script`] as const;
  return { argv, env, cwd: "/", identity: ROOT, session: true, network };
}

/** Forwards output until the step has ended. */
async function finishCommands(
  inside: Inside,
  { output, signal }: StepEvents,
): Promise<Ended> {
  const stop = () => inside.kill();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const streams = (["stdout", "stderr"] as const).map((name) =>
      forwardOutput(inside.child[name], (text) => output(name, text))
    );
    const [ended] = await Promise.all([inside.ended, ...streams]);
    return ended;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function capture(
  request: RunRequest,
  placeholders: ReadonlySet<string>,
  started: number,
): Promise<RunStep> {
  const { run, native, lower, rootless, epoch, root, blob: file, compression, threads } = request;
  const paths = stepPaths(run);
  using view = openLowerView(native, lower, paths.view, rootless);
  const result = await captureLayer({
    upper: paths.upper,
    lower: view,
    tar: paths.tar,
    epoch,
    started,
    rootless,
    placeholders,
    root,
    compress: async (blocks, expectedSize) => {
      const { compressTar } = await compressing();
      return await compressTar(blocks, { file, compression, threads, expectedSize });
    },
  });
  if (!result) return { captured: {} };
  const { diffId, index, merged, blob } = result;
  const meta: LayerMeta = {
    format: 3,
    diffId,
    boot: bootId(),
    implicit: [],
    merged,
    ...(result.rootChanged && { root: rootMeta(lstat(paths.upper)) }),
  };
  makeSkeleton(paths.wrapper, merged);
  const name = await layerName(diffId);
  await new LayerCache(native).adopt(paths.wrapper, name, meta, `${run}/aside`);
  return { captured: { layer: { name, meta, index } }, blob };
}

function rootMeta({ mode, uid, gid, mtime }: Stat) {
  return { mode, uid, gid, mtime };
}
