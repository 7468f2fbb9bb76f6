/**
 * The built-in cleanup policies, and which of them count when the dappfile names none. Apart from mod.ts, so that only
 * commands that clean up load them.
 */
import { type Plugin, type Selection, use } from "../../core/contract/plugin.ts";
import { keepBranches } from "../cleanup/branches.ts";
import { keepCommits } from "../cleanup/commits.ts";
import { keepCustom } from "../cleanup/custom.ts";
import { keepDocker } from "../cleanup/docker.ts";
import { keepGitTags } from "../cleanup/git_tags.ts";
import { keepKubernetes } from "../cleanup/kubernetes/mod.ts";
import { keepLast } from "../cleanup/last.ts";
import { keepListed } from "../cleanup/listed.ts";
import { keepPulled } from "../cleanup/pulled.ts";
import { keepRecent } from "../cleanup/recent.ts";
import { keepSemver } from "../cleanup/semver.ts";

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
 * what Kubernetes runs, where there is a kubeconfig.
 */
export const defaultPolicies: readonly Selection[] = [
  use(keepBranches),
  use(keepGitTags),
  use(keepCommits),
  use(keepCustom),
  use(keepKubernetes, { required: false }),
];
