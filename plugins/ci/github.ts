import { ciPlugin, type Env, firstOf, isOn, type PullRequest, refOf, textOf } from "./_facts.ts";

/** GitHub Actions (GitHub docs, "Variables reference"); Gitea and Forgejo Actions set the same variables. */
export const ciGithub = ciPlugin("ci-github", async (env) => {
  if (!isOn(env, "GITHUB_ACTIONS")) return undefined;
  return {
    name: "GitHub Actions",
    tag: refOf(env, "tags", "GITHUB_REF"),
    branch: refOf(env, "heads", "GITHUB_REF"),
    buildId: firstOf(env, "GITHUB_RUN_ID"),
    // GITHUB_HEAD_REF is set for pull_request and pull_request_target; for the latter GITHUB_REF is the target branch.
    ...(textOf(env, "GITHUB_HEAD_REF") !== undefined && { pull: await pullRequest(env) }),
  };
});

/** Only the event says whether the branch is one of this repository; without the event it counts as a stranger's. */
async function pullRequest(env: Env): Promise<PullRequest> {
  const event = await readEvent(textOf(env, "GITHUB_EVENT_PATH"));
  const home = event?.pull_request?.head?.repo?.full_name;
  const number = event?.number ?? /^refs\/pull\/(\d+)\//.exec(env.GITHUB_REF ?? "")?.[1];
  return {
    source: firstOf(env, "GITHUB_HEAD_REF"),
    target: textOf(env, "GITHUB_BASE_REF"),
    number: {
      value: number === undefined ? undefined : String(number),
      variables: ["GITHUB_EVENT_PATH", "GITHUB_REF"],
    },
    fork: home === undefined || home !== textOf(env, "GITHUB_REPOSITORY"),
  };
}

/** What is read of a `pull_request` event. */
interface PullRequestEvent {
  readonly number?: number;
  /** `repo` is null when the fork was deleted. */
  readonly pull_request?: { readonly head?: { readonly repo?: { readonly full_name?: string } | null } };
}

async function readEvent(path: string | undefined): Promise<PullRequestEvent | undefined> {
  if (path === undefined) return undefined;
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch {
    return undefined;
  }
}
