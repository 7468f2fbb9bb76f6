import { EngineError } from "../../../core/contract/plugin.ts";
import type { ImageFs } from "../../../lib/layer/image_fs.ts";
import type { RootLook } from "./canonical.ts";

/** What "/" of an unpacked image is to BuildKit, whatever its layers say. */
const PLAIN_ROOT: RootLook = { mode: 0o755, uid: 0, gid: 0 };

/** The shell that commands run in. @throws STAGE_FAILED when the image has none */
export function shellOf(fs: ImageFs, label: string): string {
  const shell = findShell(fs);
  if (shell !== undefined) return shell;
  throw new EngineError(
    "STAGE_FAILED",
    `Cannot build stage "${label}": the image has no shell, neither /bin/bash nor /bin/sh`,
    { fix: "Run the commands in an image with a shell, such as an artifact, and import what they make" },
  );
}

/** The shell of an image that has one. */
export function findShell(fs: ImageFs): string | undefined {
  return ["/bin/bash", "/bin/sh"].find((path) => isProgram(fs, path.slice(1)));
}

/** What "/" of the image looks like. */
export function rootOf(fs: ImageFs): RootLook {
  const { mode, uid, gid } = fs.lookup("")?.entry ?? PLAIN_ROOT;
  return { mode, uid, gid };
}

/**
 * The command that makes "/" look as the image says, undefined when it does anyway: BuildKit leaves out what layers say
 * of it.
 *
 * @throws STAGE_FAILED when the image has no programs for that
 */
export function rootCommand(fs: ImageFs, label: string): string | undefined {
  const { mode, uid, gid } = rootOf(fs);
  const commands: string[] = [];
  const run = (name: string, argument: string) => {
    const program = ["bin", "usr/bin"].map((dir) => `${dir}/${name}`).find((path) => isProgram(fs, path));
    if (program === undefined) {
      throw new EngineError(
        "STAGE_FAILED",
        `Cannot build stage "${label}": its image has a "/" of mode ${
          mode.toString(8)
        } and owner ${uid}:${gid}, which BuildKit ` +
          `does not keep, and no ${name} to set it with`,
        { fix: "Build it with --builder native" },
      );
    }
    commands.push(`/${program} ${argument} /`);
  };
  if (uid !== PLAIN_ROOT.uid || gid !== PLAIN_ROOT.gid) run("chown", `${uid}:${gid}`);
  if (mode !== PLAIN_ROOT.mode || commands.length > 0) run("chmod", mode.toString(8).padStart(5, "0"));
  return mode === PLAIN_ROOT.mode && commands.length === 0 ? undefined : commands.join(" && ");
}

function isProgram(fs: ImageFs, path: string): boolean {
  const entry = fs.lookup(fs.resolve(path, { last: true }))?.entry;
  return entry !== undefined && (entry.type === "file" || entry.type === "hardlink") &&
    (entry.mode & 0o111) !== 0;
}
