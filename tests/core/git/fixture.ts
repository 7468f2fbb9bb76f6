import { readBlobs } from "../../../core/git/blobs.ts";
import type { GitFile, GitMemo, GitRepository, GitTree } from "../../../core/git/model.ts";
import { type LocalRepository, openLocal } from "../../../core/git/repository.ts";

/** An environment in which git behaves the same for everybody who runs the tests. */
export const fixtureEnv: Readonly<Record<string, string>> = {
  PATH: Deno.env.get("PATH") ?? "",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_AUTHOR_NAME: "Ann",
  GIT_AUTHOR_EMAIL: "ann@example.com",
  GIT_COMMITTER_NAME: "Ann",
  GIT_COMMITTER_EMAIL: "ann@example.com",
  GIT_AUTHOR_DATE: "2024-01-01T00:00:00Z",
  GIT_COMMITTER_DATE: "2024-01-01T00:00:00Z",
  GIT_CONFIG_COUNT: "2",
  GIT_CONFIG_KEY_0: "protocol.file.allow",
  GIT_CONFIG_VALUE_0: "always",
  GIT_CONFIG_KEY_1: "init.defaultBranch",
  GIT_CONFIG_VALUE_1: "main",
};

/** Runs git in a directory and returns what it printed, without the last line end. */
export async function git(dir: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args: ["-C", dir, ...args],
    clearEnv: true,
    env: { ...fixtureEnv },
  }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).replace(/\n$/, "");
}

/** Writes files below `dir`; `null` deletes. */
export async function write(dir: string, files: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = `${dir}/${name}`;
    if (text === null) await Deno.remove(path, { recursive: true });
    else {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
  }
}

/** Commits everything below `dir` and returns the commit's id. */
export async function commit(
  dir: string,
  files: Readonly<Record<string, string | null>> = {},
  message = "change",
) {
  await write(dir, files);
  await git(dir, "add", "--all");
  await git(dir, "commit", "--quiet", "--allow-empty", "--message", message);
  return await git(dir, "rev-parse", "HEAD");
}

/** A new repository below `dir`, with one commit when there are files. */
export async function makeRepository(
  dir: string,
  files: Readonly<Record<string, string>> = {},
  ...options: string[]
): Promise<string> {
  await Deno.mkdir(dir, { recursive: true });
  await git(dir, "init", "--quiet", ...options);
  if (Object.keys(files).length > 0) await commit(dir, files, "first");
  return dir;
}

/** Runs `work` with a directory that is removed afterwards. */
export async function inTemp(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "dapp-git-test-" }));
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A memo in memory that counts what is asked. */
export function memoryMemo(): GitMemo & { readonly values: Map<string, string>; hits: number } {
  const values = new Map<string, string>();
  return {
    values,
    hits: 0,
    get(kind, key, is) {
      const text = values.get(`${kind}/${key}`);
      if (text === undefined) return Promise.resolve(undefined);
      const value: unknown = JSON.parse(text);
      if (!is(value)) return Promise.resolve(undefined);
      this.hits++;
      return Promise.resolve(value);
    },
    put(kind, key, value) {
      values.set(`${kind}/${key}`, JSON.stringify(value));
      return Promise.resolve();
    },
  };
}

/** Opens a repository that must exist. `scratch` is needed for dev mode. */
export async function open(
  dir: string,
  options: { dev?: boolean; scratch?: string; memo?: GitMemo; listing?: string } = {},
): Promise<LocalRepository> {
  const { dev = false, scratch, memo = memoryMemo(), listing } = options;
  const repository = await openLocal(dir, {
    dev,
    env: Deno.env.toObject(),
    memo,
    ...(listing !== undefined && { listing: () => Promise.resolve(new TextEncoder().encode(listing)) }),
    scratch: () =>
      scratch ? Promise.resolve(scratch) : Promise.reject(new Error("no scratch directory expected")),
  });
  if (!repository) throw new Error(`no repository at ${dir}`);
  return repository;
}

/** Every file as `mode path`, in order. */
export async function list(repository: GitRepository): Promise<string[]> {
  return (await repository.tree()).files.map((file) => `${file.mode} ${file.path}`);
}

/** A tree whose files are plain values, which can be compared. */
export async function plainTree(repository: GitRepository): Promise<GitTree> {
  const tree = await repository.tree();
  return { ...tree, files: tree.files.map(({ path, mode, oid, repo }) => ({ path, mode, oid, repo })) };
}

/** Contents by path, in the order they came. */
export async function contents(
  repository: GitRepository,
  files?: readonly GitFile[],
): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for await (
    const { file, size, chunks } of readBlobs(repository, files ?? (await repository.tree()).files)
  ) {
    const decoder = new TextDecoder();
    let [text, bytes] = ["", 0];
    for await (const chunk of chunks) {
      [text, bytes] = [
        text + decoder.decode(chunk, { stream: true }),
        bytes + chunk.length,
      ];
    }
    if (bytes !== size) throw new Error(`${file.path}: ${bytes} bytes instead of ${size}`);
    out[file.path] = text;
  }
  return out;
}
