/** The built-in cleanup policies, and which of them count when the dappfile names none. */
import type { Plugin, Selection } from "../../core/plugin.ts";
import { use } from "../../core/plugin.ts";
import { keepBranches } from "./branches.ts";
import { keepCommits } from "./commits.ts";
import { keepCustom } from "./custom.ts";
import { keepDocker } from "./docker.ts";
import { keepGitTags } from "./git_tags.ts";
import { keepKubernetes } from "./kubernetes/mod.ts";
import { keepLast } from "./last.ts";
import { keepListed } from "./listed.ts";
import { keepPulled } from "./pulled.ts";
import { keepRecent } from "./recent.ts";
import { keepSemver } from "./semver.ts";

/** Every policy that a dappfile can name under `cleanup.keep`. */
export const policies: readonly Plugin[] = [
  keepBranches,
  keepGitTags,
  keepCommits,
  keepCustom,
  keepRecent,
  keepLast,
  keepSemver,
  keepListed,
  keepPulled,
  keepKubernetes,
  keepDocker,
];

/**
 * Policies that count unless the dappfile names the same one with other options, or says `defaults: false`: images of
 * branches that exist; of git tags and commits the newest 10 and 50, none older than 30 days; all tags not made from git;
 * what was published within 2 hours; what Kubernetes runs, where there is a kubeconfig.
 */
export const defaultPolicies: readonly Selection[] = [
  use(keepBranches),
  use(keepGitTags),
  use(keepCommits),
  use(keepCustom),
  use(keepRecent),
  use(keepKubernetes, { required: false }),
];
