/** A command with this process's own standard streams in a throw-away file system, inside a helper process. */
import { EngineError, explained, messageOf } from "../../../core/contract/errors.ts";
import type { ConfinedProcess } from "./confine.ts";
import { shellOf } from "./image_shell.ts";
import { resolveInside } from "./inner_path.ts";
import { lstatIfPresent } from "./libc.ts";
import { mountMemory } from "./memory_mounts.ts";
import type { ShellRequest } from "./protocol.ts";
import { hostBind, mountRootfs, prepareStep, stepPaths } from "./rootfs.ts";
import { spawnInside } from "./sandbox.ts";
import { showLayers } from "./show_layers.ts";
import { ownStreams } from "./streams.ts";
import { readAccounts, resolveUser } from "./users.ts";

/**
 * Exit code of the command, 128+n for signal n. When it cannot be started, `run`/error says why. It starts when the network
 * is `connected`.
 */
export async function runShell(request: ShellRequest, connected: Promise<void>): Promise<number> {
  const { run, terminal } = request;
  try {
    const { target, upper } = stepPaths(run);
    if (!lstatIfPresent(upper)) prepareStep(request);
    await showLayers(request.native, request.lower);
    await connected;
    const extra = terminal ? [hostBind(terminal, "/dev/console", "file")] : [];
    const { ended } = spawnInside(
      run,
      () => {
        mountMemory(request.mounts);
        const rootfs = mountRootfs(request, {}, extra);
        const cwd = `${target}/${resolveInside(target, request.cwd)}`;
        if (!lstatIfPresent(cwd)) Deno.mkdirSync(cwd, { recursive: true, mode: 0o755 });
        return rootfs;
      },
      () => shellProcess(request, target),
      { stdin: "inherit", stdout: "inherit", stderr: "inherit" },
    );
    return (await ended).code;
  } catch (thrown) {
    const error = explained(thrown);
    const fix = error instanceof EngineError ? { fix: error.fix } : {};
    using file = await Deno.open(`${run}/error`, { write: true }); // over what stands there, which needs no space
    await file.write(new TextEncoder().encode(JSON.stringify({ message: messageOf(error), ...fix })));
    return 125;
  }
}

/** The command, looked up in the mounted image `root`. */
function shellProcess({ user, argv, env, cwd, network }: ShellRequest, root: string): ConfinedProcess {
  const identity = resolveUser(user, readAccounts(root));
  const [name, ...args] = argv.length > 0 ? argv : [shellOf(root) ?? "/bin/sh"];
  const program = findProgram(root, name!, env.PATH ?? "", cwd);
  if (identity.uid !== 0) ownStreams(identity.uid);
  return {
    argv: [program, ...args],
    env: { HOME: identity.home, ...env },
    cwd,
    identity,
    session: false,
    network,
  };
}

/** Like a shell does it. @throws what is wrong with what has the name, as a phrase */
function findProgram(root: string, name: string, path: string, cwd: string): string {
  const places = name.includes("/")
    ? [name.startsWith("/") ? name : `${cwd}/${name}`]
    : path.split(":").map((dir) => `${dir || cwd}/${name}`);
  const found = places.map((place) => {
    const stat = lstatIfPresent(`${root}/${resolveInside(root, place)}`);
    return { place, file: stat?.type === "file", runs: ((stat?.mode ?? 0) & 0o111) !== 0, there: !!stat };
  });
  const program = found.find(({ file, runs }) => file && runs);
  if (program) return program.place;
  const other = found.find(({ file }) => file) ?? found.find(({ there }) => there);
  if (other) {
    throw new Error(`"${other.place}" is ${other.file ? "a file that nobody may execute" : "no file"}`);
  }
  throw new Error(`"${name}" is not in the image${name.includes("/") ? "" : ` (PATH is "${path}")`}`);
}
