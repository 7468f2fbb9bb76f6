import type { GitEntry, GitStage, ImageRule } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { TreeSource } from "../git/model.ts";
import { matchDependencies, type SelectedFile, selectFiles } from "../git/select.ts";
import { compareEntries, entryKey } from "./entry_key.ts";
import { conveyorGitStages, imageTitle } from "./graph.ts";
import { once } from "../../lib/memoize.ts";
import type { Memo } from "../contract/store.ts";
import { hasMembers, isFlag, isListOf, isPair, isText } from "../../lib/guard.ts";
import { isFact } from "../contract/guards.ts";
import type { GitStageFacts } from "./sign.ts";
import type { Fact } from "../contract/signature.ts";
import { type GitListings, gitListings } from "./git_listings.ts";
import { type Digest, digestOf, sha256Hex } from "../../lib/oci/digest.ts";

/** Version of the memo below; raise it when the facts of git stages are computed in another way. */
const MEMO_FORMAT = 2;

/** Files that one entry delivers in one stage. */
export interface GitDelivery {
  readonly entry: GitEntry;
  readonly index: number;
  readonly files: readonly SelectedFile[];
  /** The entry shows its whole tree (`visible: all`): `files` is the tree, whatever an earlier stage delivered. */
  readonly wholeTree: boolean;
}

/** What the git entries of one image do in each of its stages. */
export interface GitImagePlan {
  readonly facts: ReadonlyMap<string, GitStageFacts>;
  /** Reads the listings again; only for a stage that is built or explained. */
  deliveries(stage: string): Promise<readonly GitDelivery[]>;
  /** Listings behind the facts of a stage, as blobs. */
  listings(stage: string): Promise<readonly string[]>;
  /** The listing with this digest, if it belongs to one of the stages. */
  listing(digest: Digest): Promise<string | undefined>;
  /** Files that are not delivered before the commands of `stage` run, for advice on undeclared files. */
  undeclared(stage: GitStage): Promise<readonly UndeclaredFile[]>;
  readonly warnings: readonly string[];
}

interface MemoValue {
  readonly stages: readonly (readonly [string, GitStageFacts])[];
  readonly warnings: readonly string[];
}

const isMemoValue = hasMembers<MemoValue>({
  stages: isListOf(isPair(isText, hasMembers<GitStageFacts>({ facts: isListOf(isFact), hermetic: isFlag }))),
  warnings: isListOf(isText),
});

/** Plans the git stages of one image; with a memo hit no file list is read. */
export async function planGit(
  rule: ImageRule,
  trees: readonly TreeSource[],
  memo: Memo,
  onNews?: () => void,
): Promise<GitImagePlan> {
  const entries = rule.git.map(({ line: _, ...entry }) => entry);
  const key = await sha256Hex(JSON.stringify([
    MEMO_FORMAT,
    rule.kind,
    entries,
    rule.gitPatches ?? true,
    trees.map((tree) => tree.stateId),
    Object.keys(rule.shell).sort(),
  ]));
  const compute = once(() => computeStages(rule, trees));
  let known = await memo.get("git-stages", key, isMemoValue);
  if (!known) {
    onNews?.();
    const { stages, warnings } = await compute();
    known = {
      stages: await Promise.all(stages.map(async (s) => [s.name, await factsOf(s, rule)] as const)),
      warnings,
    };
    await memo.put("git-stages", key, known);
  }
  const stage = async (name: string) => (await compute()).stages.find((s) => s.name === name);
  return {
    facts: new Map(known.stages),
    warnings: known.warnings,
    deliveries: async (name) => (await stage(name))?.deliveries ?? [],
    listing: async (digest) => {
      const wanted = known.stages.filter(([, { facts }]) =>
        facts.some((f) => f.listing && f.value === digest)
      );
      for (const [name] of wanted) {
        for (const text of (await stage(name))?.listings.texts() ?? []) {
          if (await digestOf(text) === digest) return text;
        }
      }
    },
    listings: async (name) => (await stage(name))?.listings.texts() ?? [],
    undeclared: async (name) => (await compute()).undeclared.get(name)?.() ?? [],
  };
}

/** What to do about a path that is in the repository of a project, but not below the project. */
async function outsideOf({ within }: TreeSource, add: string): Promise<string | undefined> {
  if (!within || !await Deno.lstat(`${within.root}${add}`).catch(() => undefined)) return undefined;
  const { root, prefix } = within;
  return `\`add\` is a path below the project directory, which is ${prefix} of the repository; to reach all of it, run ` +
    `dapp at its top: --dir ${root} --config ${prefix}/dappfile.yaml`;
}

interface GitStagePlan {
  readonly name: string;
  readonly deliveries: readonly GitDelivery[];
  /** What the signature covers: the same, but for `visible: all` entries the declared files only. */
  readonly signed: readonly GitDelivery[];
  readonly hermetic: boolean;
  /** Of each of `signed` that has files, in order. */
  readonly listings: GitListings;
}

async function computeStages(rule: ImageRule, trees: readonly TreeSource[]) {
  const warnings: string[] = [];
  const title = imageTitle(rule.kind, rule.name);
  const selected = await Promise.all(rule.git.map(async (entry, i) => {
    const { kind, files, nearest } = selectFiles(await trees[i]!.tree(), entry);
    const filtered = kind !== "nothing" && entry.includePaths.length + entry.excludePaths.length > 0;
    if (files.length === 0 && filtered) {
      warnings.push(`${title}: git[${i}].includePaths and excludePaths leave no committed file`);
    } else if (files.length === 0) {
      const hint = nearest && nearest !== "/" ? `; did you mean "${nearest}"?` : "";
      throw new EngineError(
        "CONFIG_INVALID",
        `Cannot add git files to ${title}: git[${i}] with add "${entry.add}" selects no committed file${hint}`,
        {
          fix: await outsideOf(trees[i]!, entry.add) ??
            "Correct `add`, or commit the files; git keeps no empty directories",
        },
      );
    }
    return files;
  }));
  // By which stage; files are compared as objects, since making and comparing their targets costs more.
  const delivered = rule.git.map(() => new Map<SelectedFile, number>());
  const shown = rule.git.map(() => false);
  const undeclared = new Map<GitStage, () => readonly UndeclaredFile[]>();
  const stages: GitStagePlan[] = [];
  for (const [order, stage] of conveyorGitStages(rule).entries()) {
    const [deliveries, signed]: [GitDelivery[], GitDelivery[]] = [[], []];
    for (const [index, entry] of rule.git.entries()) {
      const all = selected[index]!;
      const patterns = stage ? entry.stageDependencies[stage] ?? [] : [];
      const { files, unmatched } = stage ? matchDependencies(all, patterns) : { files: all, unmatched: [] };
      for (const pattern of unmatched) {
        warnings.push(
          `${title}: git[${index}].stageDependencies.${stage} "${pattern}" matches no committed file${
            several(pattern)
          }`,
        );
      }
      const fresh = files.filter((file) => !delivered[index]!.has(file));
      if (stage) fresh.forEach((file) => delivered[index]!.set(file, order));
      if (!entry.visibleAll) {
        const delivery = { entry, index, files: fresh, wholeTree: false };
        deliveries.push(delivery);
        signed.push(delivery);
        continue;
      }
      const first = stage !== undefined && !shown[index] && rule.shell[stage] !== undefined;
      if (first || fresh.length > 0 || !stage) {
        shown[index] = true;
        deliveries.push({ entry, index, files: all, wholeTree: true });
        signed.push({ entry, index, files: stage ? fresh : all, wholeTree: true });
      }
    }
    if (stage) {
      undeclared.set(
        stage,
        () =>
          rule.git.flatMap((entry, index) =>
            entry.visibleAll
              ? []
              : selected[index]!.filter((file) => (delivered[index]!.get(file) ?? Infinity) > order)
                .map(({ name, target }) => ({ entry: index, name, target }))
          ),
      );
    }
    for (const list of [deliveries, signed]) list.sort((a, b) => compareEntries(a.entry, b.entry));
    const name = stage ? `git:${stage}` : "gitArchive";
    const hermetic = !deliveries.some((d) => d.wholeTree) || !stage;
    if (deliveries.some((d) => d.files.length > 0)) {
      const listings = gitListings(signed.map(({ files }) => files).filter(({ length }) => length > 0));
      stages.push({ name, deliveries, signed, hermetic, listings });
    }
  }
  return { stages, warnings, undeclared };
}

/** What to do about several patterns in one text. */
function several(pattern: string): string {
  const parts = pattern.split(/[\s,]+/).filter((part) => part !== "");
  return parts.length < 2 ? "" : `; it is one pattern: for several write a list, [${parts.join(", ")}]`;
}

async function factsOf(
  stage: GitStagePlan,
  { git: entries, gitPatches }: Pick<ImageRule, "git" | "gitPatches">,
): Promise<GitStageFacts> {
  const facts: Fact[] = [];
  const digests = (await stage.listings.digests()).values();
  for (const { entry, files, wholeTree } of stage.signed) {
    const at = entryKey("git", entry, entries);
    if (files.length === 0 && !wholeTree) continue;
    if (files.length > 0) {
      facts.push({ key: `${at}.files`, value: digests.next().value!, listing: true });
    }
    if (wholeTree && stage.name !== "gitArchive") facts.push({ key: `${at}.visible`, value: "all" });
    if (entry.owner !== undefined) facts.push({ key: `${at}.owner`, value: entry.owner });
    if (entry.group !== undefined) facts.push({ key: `${at}.group`, value: entry.group });
  }
  // What was built with patches has other bytes.
  if (gitPatches === false && facts.length > 0) facts.push({ key: "git.patches", value: "none" });
  return { facts, hermetic: stage.hermetic };
}

/** A git file that the commands of a stage could not see. */
export interface UndeclaredFile {
  /** Index of the git entry. */
  readonly entry: number;
  /** Relative to `add`, as patterns name it. */
  readonly name: string;
  /** Absolute path in the image. */
  readonly target: string;
}
