/** What this machine can do, row by row, and how to mend what it cannot. */
import type { ImageRule } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { RegistryBackend } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { usedGit } from "../git/usable.ts";
import { imageTitle } from "../sign/graph.ts";
import { RegistryError } from "../../lib/registry/errors.ts";
import { keptLogins } from "../../lib/registry/credentials.ts";
import { freeBytes } from "../../lib/room.ts";
import { broken, type MachineCheck, type MachineReport, unset } from "./report.ts";
import { usedBuilder } from "./use_builder.ts";

/** What there is to be looked at. */
export interface MachineNeeds {
  readonly options: Pick<
    ResolvedOptions,
    "env" | "home" | "platform" | "epoch" | "compression" | "repo" | "signal"
  >;
  /** The project as far as it can be read; `failure` says why it cannot. */
  whatIsThere(): Promise<{
    readonly hooks: HookRunner;
    store(): Promise<Store>;
    /** Images that BuildKit alone builds. */
    readonly dockerfiles: readonly Pick<ImageRule, "name" | "kind">[];
    readonly dappfile?: string;
    readonly failure?: unknown;
  }>;
  /** What is checked out; undefined outside of git. @throws GIT_FAILED */
  head(): Promise<{ readonly commit: string | undefined; readonly branch: string | undefined } | undefined>;
  /** The REPO of the project. @throws REPO_INVALID */
  repo(): Promise<string | undefined>;
  registry(repo: string): Promise<{ readonly value: RegistryBackend }>;
}

/** Looks at everything; nothing is changed, but that the store is made when there is none. */
export async function checkMachine(needs: MachineNeeds): Promise<MachineReport> {
  const { options } = needs;
  const there = await needs.whatIsThere();
  const store = await there.store().catch((failure: unknown) => ({ failure }));
  const storeRow = "failure" in store ? broken("store", store.failure) : await (async () => {
    await store.blobs.scratch();
    return rowOfStore(store.path, await freeBytes(store.path));
  })().catch((failure: unknown) => broken("store", failure));
  const builders = "failure" in store
    ? ["native", "buildkit"].map((name) => unset(`builder ${name}`, "it needs a store"))
    : await Promise.all(
      ["native", "buildkit"].map((name) => usedBuilder(name, { hooks: there.hooks, store, options })),
    ).then((rows) => rows.flat().map((row) => neededRow(row, there.dockerfiles)));
  const working = builders.filter(({ name, result }) => name.startsWith("builder ") && result === "ok");
  const works = there.dockerfiles.length > 0
    ? working.some(({ name }) => name === BUILDKIT)
    : working.length > 0;
  const { deno } = Deno.version;
  return {
    canBuild: works && storeRow.result === "ok",
    checks: [
      { name: "deno", result: "ok", detail: `${deno}, ${Deno.build.os} on ${Deno.build.arch}` },
      await look("git", () => usedGit(options.env)),
      storeRow,
      ...builders,
      await logins(options.env),
      dappfileRow(there),
      await repositoryRow(needs),
      await repoRow(needs, there.failure),
    ],
  };
}

const BUILDKIT = "builder buildkit";

/** The row of BuildKit where images of the project are built by it alone: then it is missed. */
function neededRow(row: MachineCheck, images: readonly Pick<ImageRule, "name" | "kind">[]): MachineCheck {
  if (row.name !== BUILDKIT || row.result !== "unset" || images.length === 0) return row;
  const [first] = images as [Pick<ImageRule, "name" | "kind">];
  const more = images.length > 1 ? ` and ${images.length - 1} more` : "";
  const detail = `not set up, and ${imageTitle(first.kind, first.name)}${more} ${
    more === "" ? "is" : "are"
  } built from Dockerfiles`;
  return { ...row, result: "missing", detail };
}

/** A row about work that gives what is found. */
async function look(name: string, work: () => Promise<string>): Promise<MachineCheck> {
  try {
    return { name, result: "ok", detail: await work() };
  } catch (error) {
    return broken(name, error);
  }
}

/** Less than this does not hold a base image and what is unpacked of it, in bytes. */
const ROOM = 256 * 2 ** 20;

/** A store that can be written, with how much room is left there in bytes. */
export function rowOfStore(path: string, free: number | undefined): MachineCheck {
  const name = "store";
  if (free === undefined || free >= ROOM) {
    const room = free === undefined ? "" : `, ${(free / 2 ** 30).toFixed(1)} GiB free`;
    return { name, result: "ok", detail: `${path}${room}; dapp store check reads all of it` };
  }
  return {
    name,
    result: "missing",
    detail: `${path} has no room: ${Math.floor(free / 2 ** 20)} MiB free`,
    fix: "Free space there, such as with: dapp dimg cleanup; or name another directory with --home",
  };
}

/** Files with logins, and whether their helpers answer. */
async function logins(env: MachineNeeds["options"]["env"]): Promise<MachineCheck> {
  const name = "logins";
  try {
    const kept = await keptLogins(env);
    const detail = kept.map(({ place, hosts }) => `${place} (${hosts.join(", ") || "no host"})`).join("; ");
    return { name, result: "ok", detail: detail || "none is kept; docker login keeps one" };
  } catch (error) {
    if (!(error instanceof RegistryError)) return broken(name, error);
    const { message, details: { fix } } = error;
    return { name, result: "invalid", detail: message, ...(fix !== undefined && { fix }) };
  }
}

function dappfileRow(
  { dappfile, failure }: { readonly dappfile?: string; readonly failure?: unknown },
): MachineCheck {
  if (failure !== undefined) {
    const row = broken("dappfile", failure);
    const listed = failure instanceof EngineError && failure.details.problems !== undefined;
    return listed ? { ...row, fix: "See the lines with: dapp config check" } : row;
  }
  if (dappfile === undefined) return unset("dappfile", "there is none here", "Write one with: dapp init");
  return { name: "dappfile", result: "ok", detail: dappfile };
}

/** Not every image needs git, so that nothing is missing where it is not used. */
async function repositoryRow(needs: MachineNeeds): Promise<MachineCheck> {
  const name = "repository";
  try {
    const head = await needs.head();
    if (head === undefined) {
      return unset(
        name,
        "no git repository is here; `git` of images needs one",
        "Run: git init, then commit the files",
      );
    }
    const { commit, branch } = head;
    if (commit === undefined) return unset(name, "it has no commits yet", "Commit once, or use --dev");
    return {
      name,
      result: "ok",
      detail: `commit ${commit.slice(0, 8)}${branch === undefined ? "" : ` of ${branch}`}`,
    };
  } catch (error) {
    needs.options.signal.throwIfAborted();
    return broken(name, error);
  }
}

async function repoRow(needs: MachineNeeds, failure: unknown): Promise<MachineCheck> {
  const name = "REPO";
  if (failure !== undefined) return unset(name, "it may be in the dappfile, which cannot be read");
  try {
    const repo = await needs.repo();
    if (repo === undefined) {
      return unset(name, "none is named", "Name one with --repo, or as `repo:` in the dappfile");
    }
    const { value } = await needs.registry(repo);
    const repository = value.repository("");
    const { signal } = needs.options;
    if (repository.requirePush) await repository.requirePush(signal);
    else for await (const _ of repository.tags(signal)) break;
    return { name, result: "ok", detail: `${repository.name} can be pushed to` };
  } catch (error) {
    needs.options.signal.throwIfAborted();
    return broken(name, error);
  }
}
