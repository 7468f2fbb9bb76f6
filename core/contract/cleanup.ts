/** The cleanup role: what a registry holds, and reasons to keep it. Part of the plugin contract. */
import type { StageChain } from "./labels.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Everything in REPO and the repositories of the project below it, as far as cleanup may see it. JSON-printable. */
export interface Inventory {
  /** Name of the project. */
  readonly project: string;
  /** Full name of REPO. */
  readonly repo: string;
  /** RFC 3339; every age is measured from here: the earlier of this machine's clock and the registry's. */
  readonly now: string;
  /** Published images of the project, those of renamed and removed dimgs included. */
  readonly images: readonly InventoryImage[];
  /** Stages of the project. */
  readonly stages: readonly InventoryStage[];
  /** Tags of others and of dapp's own bookkeeping; nothing touches them. */
  readonly others: readonly OtherTag[];
  /** Tags whose manifest is missing or damaged. */
  readonly broken: readonly BrokenTag[];
  /** What is known of each manifest, children of indexes included. */
  readonly manifests: Readonly<Record<Digest, ManifestFacts>>;
}

/** What every tag has. */
export interface InventoryTag {
  /** "" is REPO itself, any other name is below it. */
  readonly repository: string;
  /** What stands after the ":". */
  readonly tag: string;
  /** Full name with tag, as `docker pull` takes it. Unique in the inventory. */
  readonly reference: string;
  /** Why the registry will not remove it, when a rule there says so. */
  readonly locked?: string;
  /** The digest is from an earlier run and was not asked for again: true for sure only after a new look. */
  readonly remembered?: true;
}

/** A published image of the project. */
export interface InventoryImage extends InventoryTag {
  /** Digest of the manifest. */
  readonly digest: Digest;
  /** "" is the nameless one. */
  readonly dimg: string;
  /** `git_branch`, `git_tag`, `git_commit`, `ci`, `custom`, or a plugin's own. */
  readonly scheme: string;
  /** What the tag was made from: the branch, the git tag, the commit, the text. */
  readonly value: string;
  /** The tag without the dimg that flat names begin with: `1.0` of `REPO:app-1.0`. Rules of people are about this one. */
  readonly ownTag: string;
  /** The git commit, when it is known. */
  readonly commit?: string;
  /** Id of that commit's tree, which a squash or rebase keeps. */
  readonly tree?: string;
  /** Signature of its last stage. */
  readonly signature: string;
  /** All stages it is made of. */
  readonly chain: StageChain;
  /** RFC 3339, when it was published; `now` when the image does not say. */
  readonly publishedAt: string;
  /** RFC 3339, when the registry last saw the tag written, where it tells. */
  readonly pushedAt?: string;
  /** RFC 3339, where the registry tells; null = never. */
  readonly pulledAt?: string | null;
  /** Compressed bytes of manifest, configuration and layers. */
  readonly bytes: number;
}

/** A stage of the project. */
export interface InventoryStage extends InventoryTag {
  /** Digest of the manifest. */
  readonly digest: Digest;
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Signature of the stage. */
  readonly signature: string;
  /** Signature of the stage before it. */
  readonly previous?: string;
  /** RFC 3339, when it was published, where the registry tells: nothing in a stage does. */
  readonly publishedAt?: string;
  /** RFC 3339; null = never; absent = the registry does not tell. */
  readonly pulledAt?: string | null;
  /** Compressed bytes of its layers. */
  readonly bytes: number;
}

/** `service`: dapp's own bookkeeping. `foreign`: no project of this name made it. */
export interface OtherTag extends InventoryTag {
  /** `service`: of dapp itself. */
  readonly kind: "foreign" | "service";
  /** Digest of the manifest. */
  readonly digest: Digest;
  /** Its project, when another one of dapp made it. */
  readonly project?: string;
  /** Signatures of all stages that it is made of. */
  readonly needs: readonly string[];
  /**
   * What it signs, attests or lists referrers of, by its name: `sha256-HEX.sig`, `.att`, `.sbom` of cosign, `sha256-HEX` of
   * registries without a list of referrers.
   */
  readonly attachedTo?: Digest;
}

/** `missing`: listed, but not there. `damaged`: it can never be read. `unreadable`: the registry failed, it may be whole. */
export interface BrokenTag extends InventoryTag {
  /** What is wrong with it. */
  readonly kind: "missing" | "damaged" | "unreadable";
  /** Digest of the manifest. */
  readonly digest?: Digest;
  /** It was missing or damaged in an earlier run too: nobody can use it. */
  readonly seenBefore?: true;
  /** One sentence. */
  readonly why: string;
}

/** What a manifest or index refers to. */
export interface ManifestFacts {
  /** Of the document itself. */
  readonly size: number;
  /** Configuration and layers by digest, with their sizes; all in one, by another name, where manifests are not read. */
  readonly blobs: readonly (readonly [blob: string, size: number])[];
  /** Manifests of an index. */
  readonly children: readonly Digest[];
}

/** A reason to keep one tag. Policies can only add these; what nobody keeps may go. */
export interface Keep {
  /** Of an image or stage of the inventory, exactly as it stands there. */
  readonly reference: string;
  /** What the rule is called: `branch exists`. */
  readonly rule: string;
  /** The case at hand, one line: `branch "main" exists`. */
  readonly why: string;
  /**
   * It is no reason to keep, but came near to being one: `git tag "v1" exists, but is older than 30d`. When nobody keeps
   * the tag, the plan says this instead of nothing.
   */
  readonly nearly?: true;
}

/** Asked for reasons to keep. If any policy fails, nothing is deleted. */
export interface KeepRequest {
  /** What there is. */
  readonly inventory: Inventory;
  /** Undefined outside of git: then policies about git keep all images of theirs. */
  readonly git: CleanupGit | undefined;
  /** Environment of the run. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly projectDir: string;
  /** Aborts the work. */
  readonly signal: AbortSignal;
}

/**
 * What the project's repository has now, asked of its remote and not of what a clone happens to hold. Everything is
 * found out when first asked for, and once.
 *
 * @throws GIT_FAILED when the remote does not answer or the clone is incomplete and cannot be completed
 */
export interface CleanupGit {
  /** Branch name -> commit, of the remote; of the repository itself when it has no remote. */
  branches(): Promise<ReadonlyMap<string, string>>;
  /** Tag name -> commit, lightweight ones included. */
  tags(): Promise<ReadonlyMap<string, string>>;
  /** Every commit that a branch or tag reaches. */
  commits(): Promise<ReadonlyMap<string, GitCommitFacts>>;
  /** Trees of these commits. */
  trees(): Promise<ReadonlySet<string>>;
}

/** What is known of a commit. */
export interface GitCommitFacts {
  /** Id of its tree. */
  readonly tree: string;
  /** Committer's time, seconds since 1970. */
  readonly time: number;
}
