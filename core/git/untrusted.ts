/**
 * Reading a repository that strangers made. git takes commands from the configuration of a repository: filters, hooks,
 * fsmonitor, ssh programs, helpers of included files. So it gets another git directory, with a configuration of our own,
 * that has nothing of the stranger's but HEAD, index, refs and objects.
 */
import { EngineError } from "../contract/errors.ts";
import { configValue } from "./config_file.ts";
import type { Located } from "./discover.ts";

/** git without any user's or machine's configuration, keys, logins and programs. */
export const UNTRUSTED_ENV: Readonly<Record<string, string>> = {
  HOME: "/nonexistent",
  XDG_CONFIG_HOME: "/nonexistent",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_COUNT: "0",
  GIT_CONFIG_PARAMETERS: "",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_ALLOW_PROTOCOL: "https:http:git",
  GIT_ASKPASS: "/bin/false",
  SSH_ASKPASS: "/bin/false",
  GIT_SSH_COMMAND: "/bin/false",
  SSH_AUTH_SOCK: "",
};

/** Bytes of HEAD and the lists that are read whole. */
const MAX_BYTES = 256 << 20;

/**
 * Makes the other git directory at `dir`, for the repository found at `located`.
 *
 * @throws UNTRUSTED_REFUSED when parts of the repository are elsewhere: they could be anybody's
 */
export async function shadowRepository(
  located: Located,
  dir: string,
): Promise<Readonly<Record<string, string>>> {
  const { root, gitDir, commonDir } = located;
  if (gitDir !== `${root === "/" ? "" : root}/.git` || commonDir !== gitDir) {
    throw refused(root, "its .git points at another directory");
  }
  await shadowGitDir(gitDir, dir, root);
  return { ...UNTRUSTED_ENV, GIT_DIR: dir, GIT_WORK_TREE: root };
}

/** The same for any git directory, such as that of a submodule. `title` is the repository in errors. */
export async function shadowGitDir(gitDir: string, dir: string, title: string): Promise<void> {
  await requireKind(gitDir, "directory", title);
  await requireKind(`${gitDir}/objects`, "directory", title);
  for (const name of ["alternates", "http-alternates"]) {
    if (await lstat(`${gitDir}/objects/info/${name}`)) {
      throw refused(title, `its objects are in another repository (objects/info/${name})`);
    }
  }
  await requireNoLinks(`${gitDir}/objects`, title, 2);
  const text = await readSmall(`${gitDir}/config`, title) ?? "";
  const format = configValue(text, "extensions", "", "objectformat") === "sha256" ? "sha256" : "sha1";
  const refs = configValue(text, "extensions", "", "refstorage") === "reftable" ? "reftable" : "files";
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const extensions = [
    ...(format === "sha256" ? ["objectFormat = sha256"] : []),
    ...(refs === "reftable" ? ["refStorage = reftable"] : []),
  ];
  const rows = [
    "[core]",
    `repositoryformatversion = ${extensions.length > 0 ? 1 : 0}`,
    "bare = false",
    ...(extensions.length > 0 ? ["[extensions]", ...extensions] : []),
  ];
  await Deno.writeTextFile(`${dir}/config`, rows.join("\n") + "\n");
  for (const name of ["HEAD", "packed-refs", "shallow", "index"]) {
    if (await lstat(`${gitDir}/${name}`) === undefined) continue;
    await requireKind(`${gitDir}/${name}`, "file", title);
    await copyWithTime(`${gitDir}/${name}`, `${dir}/${name}`);
  }
  for (const name of ["objects", "refs", ...(refs === "reftable" ? ["reftable"] : [])]) {
    if (await lstat(`${gitDir}/${name}`) === undefined) await Deno.mkdir(`${dir}/${name}`);
    else {
      await requireKind(`${gitDir}/${name}`, "directory", title);
      await Deno.symlink(`${gitDir}/${name}`, `${dir}/${name}`);
    }
  }
}

/** git tells by the time of the index which files it must compare by content. */
async function copyWithTime(from: string, to: string): Promise<void> {
  const { mtime, size } = await Deno.lstat(from);
  if (size > MAX_BYTES) throw new RangeError(`"${from}" has ${size} bytes`);
  await Deno.copyFile(from, to);
  await Deno.chmod(to, 0o600);
  const seconds = Math.floor(Number(mtime ?? 0) / 1000);
  await Deno.utime(to, seconds, seconds);
}

async function readSmall(path: string, title: string): Promise<string | undefined> {
  const stat = await lstat(path);
  if (!stat) return undefined;
  await requireKind(path, "file", title);
  return stat.size > 1 << 20 ? undefined : await Deno.readTextFile(path);
}

async function requireKind(path: string, kind: "file" | "directory", title: string): Promise<void> {
  const stat = await lstat(path);
  if (stat && (kind === "file" ? stat.isFile : stat.isDirectory)) return;
  throw refused(title, `"${path}" is ${stat?.isSymlink ? "a link" : "not there"}, wanted is a ${kind}`);
}

/** Packs and loose objects behind links would be those of other repositories. */
async function requireNoLinks(dir: string, title: string, depth: number): Promise<void> {
  for await (const { name, isSymlink, isDirectory } of Deno.readDir(dir)) {
    if (isSymlink) throw refused(title, `"${dir}/${name}" is a link`);
    if (isDirectory && depth > 1) await requireNoLinks(`${dir}/${name}`, title, depth - 1);
  }
}

async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  });
}

function refused(title: string, why: string): EngineError {
  return new EngineError(
    "UNTRUSTED_REFUSED",
    `Cannot read the git repository "${title}" with --untrusted: ${why}`,
    {
      fix: "Check the project out by itself: git clone URL DIR",
    },
  );
}
