/** A command with this process's own standard streams in a throw-away file system, inside a helper process. */
import { messageOf } from "../../../core/contract/errors.ts";
import { resolveInside } from "./inner_path.ts";
import { lstatIfPresent } from "./libc.ts";
import type { ShellRequest } from "./protocol.ts";
import { hostBind, mountRootfs, prepareStep, stepPaths } from "./rootfs.ts";
import { reapOrphans, spawnInside } from "./sandbox.ts";
import { shellOf } from "./step.ts";
import { resolveUser } from "./users.ts";

/** Exit code of the command, 128+n for signal n. When it cannot be started, `run`/error says why. */
export async function runShell(request: ShellRequest): Promise<number> {
  const { run } = request;
  let child: Deno.ChildProcess;
  try {
    const { target, upper } = stepPaths(run);
    if (!lstatIfPresent(upper)) prepareStep(request, {});
    const { terminal } = request;
    const extra = terminal ? [hostBind(terminal, "/dev/console", "file")] : [];
    child = spawnInside(run, () => {
      mountRootfs(request, extra);
      const cwd = `${target}/${resolveInside(target, request.cwd)}`;
      if (!lstatIfPresent(cwd)) Deno.mkdirSync(cwd, { recursive: true, mode: 0o755 });
    }, () => start(request));
  } catch (error) {
    await Deno.writeTextFile(`${run}/error`, messageOf(error));
    return 125;
  }
  Deno.addSignalListener("SIGCHLD", () => reapOrphans(child.pid));
  return (await child.status).code;
}

/** Called with the image as root. */
function start(request: ShellRequest): Deno.ChildProcess {
  const read = (path: string) => lstatIfPresent(path) ? Deno.readTextFileSync(path) : "";
  const identity = resolveUser(request.user, read("/etc/passwd"), read("/etc/group"));
  const argv = request.argv.length > 0 ? request.argv : [shellOf("") ?? "/bin/sh"];
  const program = findProgram(argv[0]!, request.env.PATH ?? "", request.cwd);
  if (!program) throw new Error(`"${argv[0]}" is not in the image (PATH is "${request.env.PATH ?? ""}")`);
  const { uid, gid } = identity;
  return new Deno.Command(program, {
    args: argv.slice(1),
    cwd: request.cwd,
    clearEnv: true,
    env: request.env,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    ...(uid !== 0 || gid !== 0 ? { uid, gid } : {}),
  }).spawn();
}

/** Like a shell does it. */
function findProgram(name: string, path: string, cwd: string): string | undefined {
  const places = name.includes("/")
    ? [name.startsWith("/") ? name : `${cwd}/${name}`]
    : path.split(":").map((dir) => `${dir || cwd}/${name}`);
  return places.find((place) => {
    try {
      const { isFile, mode } = Deno.statSync(place);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}
