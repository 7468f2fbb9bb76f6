import { dirname } from "@std/path/posix/dirname";
import { EngineError } from "../contract/errors.ts";
import { exists } from "./discover.ts";
import { gitFailure, placeFailure } from "./failure.ts";
import { hasCommit } from "./listing.ts";
import { type GitEnv, type GitOutput, runGit } from "./process.ts";
import { isCommitRefused, isDepthRefused, remoteFailure } from "./remote_failure.ts";
import { type HiddenLogin, hideLogin } from "./url_login.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** A name that moves. */
export type MovingRef =
  | { readonly kind: "branch" | "tag"; readonly value: string }
  | { readonly kind: "head" };

/** What a clone must know. */
export interface CloneOptions {
  readonly directory: string;
  readonly url: string;
  /** Short digest of the URL, which keeps the refs of different URLs apart. */
  readonly key: string;
  /** Beginning of every error message. */
  readonly what: string;
  readonly env: GitEnv;
  readonly offline?: boolean;
  lock(name: string): Promise<AsyncDisposable>;
  readonly signal?: AbortSignal;
}

/** Packs in a clone before they are joined into one. */
const MANY_PACKS = 50;

/** A bare repository that collects the states that were asked for, one below `directory` for each object format. */
export class Clone {
  constructor(readonly options: CloneOptions) {}

  /** The bare repository that holds, or will hold, an object with this id. */
  dirFor(oid: string): string {
    return `${this.options.directory}/${oid.length === 64 ? "sha256" : "sha1"}.git`;
  }

  /** Makes sure that a commit given by its full id is here. @throws GIT_FAILED */
  async commit(id: string): Promise<string> {
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) {
      throw this.#fail(
        "a commit is named by its full id, 40 or 64 lower-case hex digits",
        "Write the full commit id",
      );
    }
    if (await this.#has(id)) return id;
    if (this.options.offline) {
      throw this.#fail("it was not fetched before and this run is offline", "Run again online");
    }
    await this.#locked(id, async () => {
      if (await this.#has(id)) return;
      const ref = `${this.#refs()}/commits/${id}`;
      const single = await this.#fetch(id, [`+${id}:${ref}`]);
      if (single.success) return;
      if (!isCommitRefused(single)) throw await this.#failure(single);
      // The server hands out branches and tags only: the commit is in one of them, or nowhere.
      const all = ["heads", "tags"].map((kind) => `+refs/${kind}/*:${this.#refs()}/all/${kind}/*`);
      const full = await this.#fetch(id, all, { history: true });
      if (!full.success) throw await this.#failure(full);
      if (!await this.#has(id)) {
        throw this.#fail("no branch or tag of the repository contains it", "Check `commit:` in the dappfile");
      }
      await runGit(["--git-dir", this.dirFor(id), "update-ref", ref, id], this.#call());
    });
    return id;
  }

  /** Asks the server where a name points now and makes sure that commit is here. @throws GIT_FAILED */
  async named(ref: MovingRef): Promise<string> {
    const remote = nameOf(ref);
    // Flat names: a server may have a branch "a" today and "a/b" tomorrow.
    const local = `${this.#refs()}/names/${(await sha256Hex(remote)).slice(0, 16)}`;
    if (this.options.offline) return await this.#lastKnown(local);
    const { oid, commit } = await this.#ask(remote, ref);
    const current = async () => {
      const dir = this.dirFor(oid);
      return await exists(dir) && await this.#resolve(dir, local) === commit;
    };
    if (await current()) return commit;
    return await this.#locked(oid, async () => {
      if (await current()) return commit;
      const output = await this.#fetch(oid, [`+${remote}:${local}`]);
      if (!output.success) throw await this.#failure(output);
      // What was fetched, should the name have moved since the question.
      const fetched = await this.#resolve(this.dirFor(oid), local);
      if (fetched === undefined) {
        throw this.#fail("it does not point at a commit", "Check the ref in the dappfile");
      }
      return fetched;
    });
  }

  /** One `git ls-remote`: the id of the ref's object and, behind an annotated tag, of the commit. */
  async #ask(remote: string, ref: MovingRef): Promise<{ oid: string; commit: string }> {
    const { directory } = this.options;
    const { url, args, env } = hideLogin(this.options.url);
    await Deno.mkdir(directory, { recursive: true });
    const output = await runGit(
      ["-C", directory, ...args, "ls-remote", "--", url, remote, `${remote}^{}`],
      this.#call(env),
    );
    if (!output.success) throw await this.#failure(output);
    const rows = new Map<string, string>();
    for (const line of new TextDecoder().decode(output.stdout).split("\n")) {
      const [oid = "", name = ""] = line.split("\t");
      rows.set(name, oid);
    }
    const oid = rows.get(remote);
    if (oid === undefined) {
      if (ref.kind === "head") {
        throw this.#fail("the repository has no commits yet", "Name a branch with `branch:`");
      }
      throw this.#fail(`the repository has no such ${ref.kind}`, `Check \`${ref.kind}:\` in the dappfile`);
    }
    return { oid, commit: rows.get(`${remote}^{}`) ?? oid };
  }

  async #lastKnown(local: string): Promise<string> {
    for (const format of ["sha1", "sha256"]) {
      const dir = `${this.options.directory}/${format}.git`;
      const commit = await exists(dir) ? await this.#resolve(dir, local) : undefined;
      if (commit !== undefined) return commit;
    }
    throw this.#fail("it was not fetched before and this run is offline", "Run again online");
  }

  async #resolve(dir: string, ref: string): Promise<string | undefined> {
    const output = await runGit(
      ["--git-dir", dir, "rev-parse", "--verify", "-q", `${ref}^{commit}`],
      this.#call(),
    );
    return output.success ? new TextDecoder().decode(output.stdout).trim() : undefined;
  }

  async #has(commit: string): Promise<boolean> {
    const dir = this.dirFor(commit);
    return await exists(dir) &&
      await hasCommit({ at: ["--git-dir", dir], title: dir, env: this.options.env }, commit);
  }

  /** Fetches into the clone; the caller holds the lock. Objects and refs appear together or not at all. */
  async #fetch(
    oid: string,
    refspecs: readonly string[],
    options: { history?: boolean } = {},
  ): Promise<GitOutput> {
    const dir = this.dirFor(oid);
    const shallow = await exists(`${dir}/shallow`);
    const depth = !options.history
      ? ["--depth=1", "--update-shallow"]
      : ["--prune", ...shallow ? ["--unshallow"] : []];
    const { url, args, env } = hideLogin(this.options.url);
    const output = await runGit([
      "--git-dir",
      dir,
      ...args,
      "-c",
      "fetch.unpackLimit=1",
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-recurse-submodules",
      ...depth,
      "--",
      url,
      ...refspecs,
    ], this.#call(env));
    if (!output.success && !options.history && isDepthRefused(output)) {
      return await this.#fetch(oid, refspecs, { history: true });
    }
    return output;
  }

  async #locked<T>(oid: string, work: () => Promise<T>): Promise<T> {
    const dir = this.dirFor(oid);
    await Deno.mkdir(this.options.directory, { recursive: true });
    await using _ = await this.options.lock(`git ${dir}`);
    if (await exists(dir)) await clearLeftovers(dir);
    else await this.#create(dir, oid);
    const result = await work();
    if (await countPacks(dir) > MANY_PACKS) {
      await runGit(["--git-dir", dir, "gc", "--quiet", "--prune=2.weeks.ago"], this.#call());
    }
    return result;
  }

  /** Makes an empty bare repository, which appears under its name when it is complete. */
  async #create(dir: string, oid: string): Promise<void> {
    const temporary = `${dir}.new`;
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    const format = oid.length === 64 ? ["--object-format=sha256"] : [];
    const output = await runGit(
      ["init", "--quiet", "--bare", "--template=", ...format, temporary],
      this.#call(),
    );
    if (!output.success) {
      await Deno.remove(temporary, { recursive: true }).catch(() => {}); // its space is needed
      const what = `Cannot create a clone in "${this.options.directory}"`;
      throw await placeFailure(what, output, this.options.directory) ?? await gitFailure(what, output);
    }
    await Deno.rename(temporary, dir);
  }

  #refs(): string {
    return `refs/dapp/${this.options.key}`;
  }

  #call(login: HiddenLogin["env"] = {}) {
    const { directory, env, signal } = this.options;
    return { env: { ...env, ...login, GIT_CEILING_DIRECTORIES: dirname(directory) }, signal };
  }

  #failure(output: GitOutput): Promise<EngineError> {
    return remoteFailure(this.options.what, output, this.options.directory);
  }

  #fail(why: string, fix: string): EngineError {
    return new EngineError("GIT_FAILED", `${this.options.what}: ${why}`, { fix });
  }
}

/** Removes what a killed git left in a repository that is ours alone: lock files and half-received packs. */
async function clearLeftovers(dir: string): Promise<void> {
  for await (const path of walk(dir)) {
    if (path.endsWith(".lock") || /\/pack\/tmp_[^/]*$/.test(path)) await Deno.remove(path).catch(() => {});
  }
}

async function* walk(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (!isDirectory) yield `${dir}/${name}`;
    else if (!/^[0-9a-f]{2}$/.test(name)) yield* walk(`${dir}/${name}`);
  }
}

async function countPacks(dir: string): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir(`${dir}/objects/pack`)) if (name.endsWith(".pack")) count++;
  return count;
}

/** What the server calls it. */
function nameOf(ref: MovingRef): string {
  switch (ref.kind) {
    case "head":
      return "HEAD";
    case "tag":
      return `refs/tags/${ref.value}`;
    case "branch":
      return `refs/heads/${ref.value}`;
    default:
      return unreachable(ref);
  }
}
