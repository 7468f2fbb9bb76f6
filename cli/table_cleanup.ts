/** The commands that remove what is not needed, in REPO and on this machine. */
import {
  aboutRepo,
  aboutRepoAlone,
  access,
  dimgs,
  output,
  project,
  publishing,
  repo,
} from "./table_parts.ts";
import type { CommandSpec } from "./command.ts";

const cleaning = [...project, "lock-timeout", "dry-run", ...output] as const;
const stagesAccess = ["repo", ...access] as const;
const improper = ["improper-repo-cache", "improper-cache-version", "improper-git-commit"] as const;

/** A paragraph for help. */
const aboutPlan =
  "With --dry-run, prints each tag that would go, with the rule that came nearest to keeping it, how many stay by which " +
  "rule (--verbose: each of them, with the whole chain from what decides down to the tag), and the bytes that will be " +
  "free; with --quiet the names of those that would go.";
/** A paragraph for help, where no policy is asked. */
const aboutRemoval =
  "With --dry-run, prints each tag that would go, how many stay and why (--verbose: each of them), and the bytes that " +
  "will be free; with --quiet the names of those that would go.";
/** A paragraph for help. */
const aboutOutcome =
  "Every tag is looked at once more before it is deleted, and what was deleted can be put back for a while with " +
  "`dapp dimg restore`. Exit codes: 0, nothing is left to do; 1, some tags could not be deleted, or none; 130, " +
  "interrupted. Run the same command again to go on.";
/** A paragraph for help. */
const aboutConsent =
  "On a terminal it shows what would go and asks, unless there is --yes; without terminal, or where CI is set, the " +
  "command itself is the consent.";

const withStages = { "with-stages": "remove stages as well" } as const;

/** In the order help lists them. */
export const cleanupCommands = [
  {
    path: "dimg cleanup",
    run: async () => (await import("./commands/cleanup_local.ts")).cleanupLocal,
    summary: "Remove what builds left over on this machine.",
    details: [
      "Removes, of all projects, blobs that nothing names, unpacked layers of stages that are gone, scratch files, and answers to " +
      "questions that nobody has asked for 30 days. What a build could use stays.",
      "Images in a registry are cleaned up by `dapp dimg cleanup repo`.",
    ],
    positionals: [],
    options: [],
    common: cleaning,
    examples: [
      { command: "dapp dimg cleanup", what: "make room" },
      { command: "dapp dimg cleanup --dry-run", what: "say what would go" },
    ],
  },
  {
    path: "dimg cleanup repo",
    run: async () => (await import("./commands/cleanup.ts")).cleanupRepo,
    summary: "Delete the tags of images that no policy keeps.",
    details: [
      "The policies are those of the dappfile. DIMG is a name or a glob pattern, also of a dimg that the dappfile no longer has; without one, all are looked at. " +
      "Only what carries this project's label can go. If a policy cannot find out what it wants to keep, nothing is " +
      "deleted.",
      aboutPlan,
      "--plan does what an earlier --dry-run --json printed; REPO and what may go are those of the plan.",
      aboutConsent,
      aboutOutcome,
      "Without login options, DAPP_DIMG_CLEANUP_REGISTRY_PASSWORD in the environment is the password of a user " +
      "dapp-cleanup-repo.",
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: ["with-stages", "without-kube", "kubernetes-timeout", "plan", "yes"],
    says: { "with-stages": "then remove the stages that no image needs any more" },
    common: cleaning,
    registry: publishing,
    examples: [
      { command: "dapp dimg cleanup repo registry.example.com/shop -n", what: "say what would go, and why" },
      {
        command: "dapp dimg cleanup repo --with-stages registry.example.com/shop",
        what: "what a nightly job does",
      },
    ],
  },
  {
    path: "dimg flush local",
    run: async () => (await import("./commands/cleanup_local.ts")).flushLocal,
    summary: "Remove the project's images from this machine.",
    details: [
      "Those are the names that `dapp dimg tag` gave in the local Docker engine. --with-stages removes the stages of the " +
      "whole project, whatever DIMG is.",
      aboutConsent,
    ],
    positionals: [dimgs],
    options: ["with-stages", "yes"],
    says: withStages,
    common: cleaning,
    examples: [
      { command: "dapp dimg flush local", what: "images, not stages" },
      { command: "dapp dimg flush local --with-stages", what: "everything the project has here" },
    ],
  },
  {
    path: "dimg flush repo",
    run: async () => (await import("./commands/cleanup.ts")).flushRepo,
    summary: "Delete every tag of the project's images in REPO.",
    details: [
      "No policy is asked. Only what carries this project's label goes.",
      aboutRemoval,
      aboutConsent,
      aboutOutcome,
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: ["with-stages", "yes"],
    says: withStages,
    common: cleaning,
    registry: publishing,
    examples: [
      { command: "dapp dimg flush repo registry.example.com/shop -n", what: "say what would go" },
      {
        command: "dapp dimg flush repo --with-stages registry.example.com/shop",
        what: "all that the project has there",
      },
    ],
  },
  {
    path: "dimg stages cleanup local",
    run: async () => (await import("./commands/cleanup_local.ts")).stagesCleanupLocal,
    summary: "Remove stages of the project, by the flags given.",
    details: [
      "Removes them from this machine. One of the three --improper flags at least; together they remove what any of them names. With " +
      "--improper-repo-cache, REPO is the last word, or given by --repo or by `repo:` in the dappfile; it is refused when " +
      "REPO holds no image of the project, unless there is --force.",
    ],
    positionals: [repo],
    options: [...improper, "force"],
    common: cleaning,
    registry: stagesAccess,
    examples: [
      {
        command: "dapp dimg stages cleanup local --improper-repo-cache registry.example.com/shop",
        what: "keep what REPO needs",
      },
      {
        command: "dapp dimg stages cleanup local --improper-cache-version -n",
        what: "what another version of dapp left",
      },
    ],
  },
  {
    path: "dimg stages cleanup repo",
    run: async () => (await import("./commands/cleanup.ts")).stagesCleanupRepo,
    summary: "Delete stages from REPO, by the flags given.",
    details: [
      "One of the three --improper flags at least; together they remove what any of them names. Images stay, with all " +
      "that they stand on.",
      aboutRemoval,
      aboutConsent,
      aboutOutcome,
      aboutRepoAlone,
    ],
    positionals: [repo],
    options: [...improper, "yes"],
    says: {
      "improper-repo-cache":
        "stages that no image in REPO stands on; young ones stay, and those a build uses",
      "improper-cache-version": "stages that the old tool left behind",
      "improper-git-commit":
        "stages of commits that no longer exist, which the old tool left behind; new ones have none",
    },
    common: cleaning,
    registry: stagesAccess,
    examples: [
      {
        command: "dapp dimg stages cleanup repo --improper-repo-cache registry.example.com/shop",
        what: "stages that no image needs",
      },
      {
        command: "dapp dimg stages cleanup repo --improper-cache-version localhost:5000/shop -n",
        what: "what the old tool left there",
      },
    ],
  },
  {
    path: "dimg stages flush local",
    run: async () => (await import("./commands/cleanup_local.ts")).stagesFlushLocal,
    summary: "Remove every stage of the project from here.",
    details: [aboutConsent],
    positionals: [],
    options: ["yes"],
    common: cleaning,
    examples: [
      { command: "dapp dimg stages flush local", what: "the next build starts from nothing" },
      { command: "dapp dimg stages flush local -n", what: "say what would go" },
    ],
  },
  {
    path: "dimg stages flush repo",
    run: async () => (await import("./commands/cleanup.ts")).stagesFlushRepo,
    summary: "Delete every stage of the project in REPO.",
    details: ["Images stay, and can be pulled.", aboutRemoval, aboutConsent, aboutOutcome, aboutRepoAlone],
    positionals: [repo],
    options: ["yes"],
    common: cleaning,
    registry: stagesAccess,
    examples: [
      { command: "dapp dimg stages flush repo registry.example.com/shop", what: "empty the shared cache" },
      { command: "dapp dimg stages flush repo registry.example.com/shop -n", what: "say what would go" },
    ],
  },
  {
    path: "dimg mrproper",
    run: async () => (await import("./commands/cleanup_local.ts")).mrproper,
    summary: "Remove what all projects have, by the flags given.",
    details: [
      "Removes it from this machine. One of its flags at least; of several, the first in the list below counts.",
      aboutConsent,
    ],
    positionals: [],
    options: ["all", "improper-dev-mode-cache", "improper-cache-version-stages", "yes"],
    says: { all: "everything: images, stages, and what is in the store" },
    common: cleaning,
    examples: [
      { command: "dapp dimg mrproper --all", what: "as if dapp had never run here" },
      { command: "dapp dimg mrproper --improper-dev-mode-cache -n", what: "what builds with --dev left" },
    ],
  },
  {
    path: "dimg restore",
    run: async () => (await import("./commands/restore.ts")).restore,
    summary: "Put back what a cleanup from here deleted.",
    details: [
      "Brings back what any cleanup from this machine has deleted. TAG is a tag of REPO, a name below it such as app:1.0, or a full name; without one, everything that is gone is put back. It works as " +
      "long as their blobs are there. Prints what became of each tag: restored, present (it is " +
      "there), taken (it names something newer, which stays), lost or failed; exits with 1 when one is lost or failed.",
      "REPO is host[:port]/path or oci:DIR. It is the first word, unless it is given by --repo or by `repo:` in the " +
      "dappfile.",
    ],
    positionals: [repo, { name: "TAG", complete: "text", many: true }],
    options: ["list"],
    common: cleaning,
    registry: stagesAccess,
    examples: [
      { command: "dapp dimg restore registry.example.com/shop --list", what: "what was deleted when" },
      {
        command: "dapp dimg restore registry.example.com/shop app:1.0",
        what: "put this one back",
      },
    ],
  },
] as const satisfies readonly CommandSpec[];
