import { EngineError, messageOf } from "../contract/errors.ts";
import { gitFailure } from "./failure.ts";
import { type Listing, listTree, sortFiles } from "./listing.ts";
import type { GitFile, ObjectDatabase, Submodule, TreeGap } from "./model.ts";
import { runGit } from "./process.ts";
import { withoutEnd } from "../../lib/without_end.ts";

/** A listing with the files of all submodules in place of the links to them. */
export interface Expanded {
  readonly files: readonly GitFile[];
  readonly submodules: readonly Submodule[];
  readonly gaps: readonly TreeGap[];
}

/** The files of one submodule. */
export interface SubmoduleContent {
  readonly database: ObjectDatabase;
  readonly listing: Listing;
}

/**
 * Finds and lists a submodule. `around` is the content it is linked from.
 *
 * @throws EngineError when its objects are not there; the message becomes the gap's
 */
export type OpenSubmodule = (submodule: Submodule, around: SubmoduleContent) => Promise<SubmoduleContent>;

/** What a .gitmodules file says of one path. */
interface Registered {
  readonly name: string;
  readonly url: string;
}

/**
 * Replaces links by the files of the submodules they point at, however deeply nested.
 *
 * @param registry where .gitmodules of the outermost tree is, when that is not in `top` (a project in a subdirectory)
 */
export async function expandSubmodules(
  top: SubmoduleContent,
  open: OpenSubmodule,
  registry: { readonly oid: string | undefined; readonly prefix: string },
): Promise<Expanded> {
  const files: GitFile[] = [...top.listing.files];
  const submodules: Submodule[] = [];
  const gaps: TreeGap[] = [];
  const visit = async (around: SubmoduleContent, mount: string, oid: string | undefined, prefix: string) => {
    if (around.listing.links.length === 0) return;
    const registered = oid === undefined
      ? new Map<string, Registered>()
      : await readGitmodules(around.database, oid);
    for (const { path, commit } of around.listing.links) {
      const inner = mount === "" ? path : path.slice(mount.length + 1);
      const submodule: Submodule = { path, commit, name: "", url: "", ...registered.get(prefix + inner) };
      try {
        const content = await open(submodule, around);
        submodules.push(submodule);
        for (const file of content.listing.files) files.push(file);
        await visit(content, path, gitmodulesIn(content.listing, path), "");
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        gaps.push({ path, commit, problem: messageOf(error), fix: error.fix });
      }
    }
  };
  await visit(top, "", registry.oid, registry.prefix === "" ? "" : `${registry.prefix}/`);
  return { files: sortFiles(files), submodules, gaps };
}

/** The blob of .gitmodules at the top of a listing. */
export function gitmodulesIn(listing: Listing, mount: string): string | undefined {
  const path = mount === "" ? ".gitmodules" : `${mount}/.gitmodules`;
  return listing.files.find((file) => file.path === path && file.mode !== "120000")?.oid;
}

/** The submodules that a .gitmodules blob lists, by path. */
async function readGitmodules(database: ObjectDatabase, oid: string): Promise<Map<string, Registered>> {
  const output = await runGit([...database.at, "config", "--blob", oid, "-z", "--list"], database);
  if (!output.success) throw await gitFailure(`Cannot read .gitmodules of ${database.title}`, output);
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const row of new TextDecoder().decode(output.stdout).split("\0")) {
    const match = /^submodule\.([^\n]+)\.(path|url)\n([^]*)$/.exec(row);
    if (!match) continue;
    const [, name, key, value] = match as unknown as [string, string, "path" | "url", string];
    byName.set(name, { ...byName.get(name), [key]: value });
  }
  return new Map(
    [...byName].flatMap(([name, { path, url = "" }]) =>
      path === undefined || /(?:^|\/)\.\.(?:\/|$)/.test(name) ? [] : [[withoutEnd(path, "/"), { name, url }]]
    ),
  );
}

/** Lists a submodule whose object database is known. @throws GIT_MISSING_OBJECT */
export async function listSubmodule(
  database: ObjectDatabase,
  submodule: Submodule,
): Promise<SubmoduleContent> {
  const listing = await listTree({ database, rev: submodule.commit, dir: "" }, submodule.path);
  return { database, listing: listing! };
}
