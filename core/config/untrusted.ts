/** Building a repository of strangers: what its dappfile may not want, and which of its files are read. */
import type { Config, ImageRule } from "../contract/config.ts";
import { EngineError, type Problem } from "../contract/errors.ts";
import type { Position } from "./report.ts";
import { parseLocation } from "../../lib/oci/layout.ts";

/** Bytes that a dappfile or lock file of a stranger may have. */
const MAX_BYTES = 4 << 20;
/** Files that an image layout in the project may have. */
const MAX_ENTRIES = 10_000;

/**
 * Refuses everything by which a dappfile reaches this machine, its users' rights or what is kept between builds.
 * What is left of the configuration is given back.
 *
 * @throws UNTRUSTED_REFUSED with every problem, each with its line
 */
export async function checkUntrusted(config: Config, dir: string): Promise<Config> {
  const problems: Problem[] = [];
  const refuse: Refuse = ({ file = config.file, line }, message, hint) => {
    const isSame = (known: Problem) =>
      known.file === file && known.line === line && known.message === message;
    if (!problems.some(isSame)) problems.push({ file, line, column: 0, message, hint });
  };
  for (const { use, line } of config.project.plugins) {
    refuse({ line }, `Plugin "${use}" would run as this user`, "Leave it out");
  }
  for (const { use, line } of config.project.cleanup?.keep ?? []) {
    if (/^[./]|:/.test(use)) refuse({ line }, `Policy "${use}" would run as this user`, "Leave it out");
  }
  for (const rule of config.images) await checkImage(rule, dir, refuse);
  if (problems.length > 0) {
    throw new EngineError(
      "UNTRUSTED_REFUSED",
      `Cannot use "${config.file}" with --untrusted: it wants what strangers may not have`,
      { problems },
    );
  }
  // Where images go is for whoever runs this to say: a stranger would choose where this machine's login is used.
  const { repo: _, ...project } = config.project;
  return { ...config, project };
}

type Refuse = (at: Position, message: string, hint: string) => void;

/** What strangers may say of an image as they like. A key that is neither here nor looked at does not compile. */
type Free =
  | ("kind" | "name" | "document" | "line" | "file")
  | ("fromCacheVersion" | "gitPatches" | "shell" | "docker" | "imports" | "asLayers");

async function checkImage(rule: ImageRule, dir: string, refuse: Refuse): Promise<void> {
  const { base, mounts, secrets, ssh, git, network, ...others } = rule;
  others satisfies { readonly [K in keyof typeof others]: K extends Free ? unknown : never };
  if (base.kind === "image") {
    const why = await foreignFiles(base.name, dir);
    if (why) {
      refuse(
        rule,
        `Base image "${base.name}" ${why}`,
        "Use an image of a registry, or a directory in the project",
      );
    }
  }
  for (const mount of mounts) {
    if (mount.from !== "path") continue;
    refuse(mount, `Mount of "${mount.path}" would show files of this machine`, "Leave `fromPath` out");
  }
  for (const secret of secrets) {
    refuse(secret, `Secret "${secret.id}" would be shown to its commands`, "Leave it out");
  }
  if (ssh.length > 0) {
    refuse(rule, "`ssh` would let its commands use the keys of the ssh agent", "Leave it out");
  }
  if (network === "host") {
    refuse(rule, "`network: host` would let its commands reach what is on this machine", "Leave it out");
  }
  for (const entry of git) {
    const { remote, visibleAll } = entry;
    if (visibleAll) {
      const what =
        "`visible: all` lets commands see what signatures do not cover: trusted builds would take their stages";
      refuse(entry, what, "Declare files under `stageDependencies`");
    }
    if (remote && !/^(?:https?|git):\/\//i.test(remote.url)) {
      const ssh = /^ssh:|^[^/]*@?[^/:]+:/.test(remote.url) && !/^file:/i.test(remote.url);
      refuse(
        entry,
        ssh
          ? `Repository "${remote.url}" would be read with this user's ssh keys`
          : `Repository "${remote.url}" is on this machine`,
        "Use https://, which is asked without a login",
      );
    }
  }
}

/** Why a base image of files cannot be used; undefined for those of registries and of the project itself. */
async function foreignFiles(name: string, dir: string): Promise<string | undefined> {
  const prefix = ["oci:", "archive:"].find((each) => name.startsWith(each));
  if (prefix === undefined) return undefined;
  const { location } = parseLocation(name.slice(prefix.length));
  if (location.startsWith("/") || location.split("/").includes("..")) return "is outside of the project";
  try {
    await requirePlain(dir, location);
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "is not in the project";
    if (error instanceof LinkError) return error.message;
    throw error;
  }
}

class LinkError extends Error {}

/** Refuses links on the way to `path` below `dir` and in what it holds, and everything but files and directories. */
async function requirePlain(dir: string, path: string): Promise<void> {
  let full = dir;
  let count = 0;
  for (const part of path.split("/").filter((each) => each !== "" && each !== ".")) {
    full += `/${part}`;
    const stat = await Deno.lstat(full);
    if (!stat.isFile && !stat.isDirectory) {
      throw new LinkError(`has "${full}", which is neither file nor directory`);
    }
  }
  const visit = async (at: string) => {
    for await (const { name, isFile, isDirectory } of Deno.readDir(at)) {
      if (++count > MAX_ENTRIES) throw new LinkError(`has more than ${MAX_ENTRIES} files`);
      if (!isFile && !isDirectory) {
        throw new LinkError(`has "${at}/${name}", which is neither file nor directory`);
      }
      if (isDirectory) await visit(`${at}/${name}`);
    }
  };
  if ((await Deno.lstat(full)).isDirectory) await visit(full);
}

/**
 * Makes sure that a dappfile or lock file, if it is there, is a file of its own below the project: no link to a file
 * whose content an error message would show, no FIFO, nothing enormous.
 *
 * @throws UNTRUSTED_REFUSED
 */
export async function requireOwnFile(dir: string, path: string): Promise<void> {
  const name = path.startsWith(`${dir}/`) ? path.slice(dir.length + 1) : path;
  const refuse = (why: string) =>
    new EngineError("UNTRUSTED_REFUSED", `Cannot read "${name}" with --untrusted: ${why}`, {
      fix: "Have it replaced by a plain file",
    });
  let full = dir;
  for (const part of name.split("/").filter((each) => each !== "" && each !== ".")) {
    full += `/${part}`;
    const stat = await Deno.lstat(full).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (!stat) return;
    if (stat.isSymlink) throw refuse(`"${full}" is a link`);
    if (full !== path) continue;
    if (!stat.isFile) throw refuse("it is not a file");
    if (stat.size > MAX_BYTES) throw refuse(`it has ${stat.size} bytes`);
  }
}

/** How base images are reached for strangers: by this machine's network and certificates, without any login. */
export function anonymousEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const kept =
    /^(?:https?_proxy|no_proxy|all_proxy|SSL_CERT_FILE|DENO_CERT|DAPP_INSECURE_REGISTRY|DAPP_LOW_SPEED_(?:LIMIT|TIME)|PATH)$/i;
  const own = Object.entries(env).filter(([name]) => kept.test(name));
  return { ...Object.fromEntries(own), HOME: "/nonexistent" };
}
