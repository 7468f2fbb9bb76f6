import { EngineError } from "../contract/errors.ts";
import { gitDirIn, type LocalOptions, type Located } from "./discover.ts";
import { shellWord } from "./failure.ts";
import { hasCommit } from "./listing.ts";
import type { ObjectDatabase, Submodule } from "./model.ts";
import { gitEnv } from "./process.ts";

/** Finds where the objects of the submodules of a checked-out repository are. */
export class SubmoduleFinder {
  readonly #found = new Map<string, Promise<ObjectDatabase>>();

  /** Submodules of strangers are read without their configuration, and from below the repository alone. */
  constructor(
    readonly located: Located,
    readonly options: Pick<LocalOptions, "env" | "untrusted" | "scratch">,
  ) {}

  /**
   * The object database of a submodule that holds its commit: that of its checked-out directory, or what an earlier
   * checkout left below `.git/modules`.
   *
   * @param chain the submodule after all those around it, outermost first
   * @throws GIT_MISSING_OBJECT
   */
  find(chain: readonly Submodule[]): Promise<ObjectDatabase> {
    const { path, commit } = chain.at(-1)!;
    const key = `${path} ${commit}`;
    let found = this.#found.get(key);
    if (!found) this.#found.set(key, found = this.#search(chain));
    return found;
  }

  async #search(chain: readonly Submodule[]): Promise<ObjectDatabase> {
    const { path, commit } = chain.at(-1)!;
    const title = `submodule "${path}"`;
    const dirs = await this.#candidates(chain);
    for (const dir of dirs) {
      // Its configured work tree may be gone, on which git would insist without another one.
      const database = { ...await this.#at(dir, title), title };
      if (await hasCommit(database, commit)) return database;
    }
    const root = shellWord(this.located.root);
    if (dirs.length === 0) {
      throw new EngineError("GIT_MISSING_OBJECT", `Cannot read the ${title}: it is not initialised`, {
        fix: `Run: git -C ${root} submodule update --init --recursive`,
      });
    }
    throw new EngineError(
      "GIT_MISSING_OBJECT",
      `Cannot read the ${title}: its commit ${commit} is not there`,
      {
        fix:
          `Fetch it: git -C ${root} submodule update --init --recursive; if that fails, push the commit first`,
      },
    );
  }

  async #at(dir: string, title: string): Promise<Pick<ObjectDatabase, "at" | "env" | "unverified">> {
    const { env, untrusted } = this.options;
    if (!untrusted) return { at: ["--git-dir", dir, "--work-tree", dir], env: gitEnv(env) };
    const { shadowGitDir, UNTRUSTED_ENV } = await import("./untrusted.ts");
    const { root } = this.located;
    if (!dir.startsWith(`${root}/`)) {
      throw new EngineError(
        "UNTRUSTED_REFUSED",
        `Cannot read the ${title} with --untrusted: it is outside of "${root}"`,
      );
    }
    const shadow = `${await this.options.scratch()}/git-shadow-${crypto.randomUUID()}`;
    await shadowGitDir(dir, shadow, title);
    const at = ["--git-dir", shadow, "--work-tree", shadow];
    return { at, env: gitEnv(env, UNTRUSTED_ENV), unverified: true };
  }

  async #candidates(chain: readonly Submodule[]): Promise<string[]> {
    const { root, prefix, gitDir, commonDir } = this.located;
    const dirs = new Set<string>();
    const base = prefix === "" ? root : `${root}/${prefix}`;
    const checkedOut = await gitDirIn(`${base}/${chain.at(-1)!.path}`);
    if (checkedOut !== undefined) dirs.add(checkedOut);
    if (chain.every((submodule) => submodule.name !== "")) {
      const names = chain.map((submodule) => `/modules/${submodule.name}`).join("");
      for (const dir of [gitDir, commonDir]) {
        const real = await Deno.realPath(`${dir}${names}`).catch(() => undefined);
        if (real !== undefined && await Deno.stat(`${real}/HEAD`).catch(() => undefined)) dirs.add(real);
      }
    }
    return [...dirs];
  }
}

/** A submodule after those it is nested in, outermost first. */
export function chainOf(submodule: Submodule, all: readonly Submodule[]): readonly Submodule[] {
  return [...all.filter((other) => submodule.path.startsWith(`${other.path}/`)), submodule]
    .sort((a, b) => a.path.length - b.path.length);
}
