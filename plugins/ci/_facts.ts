/** What the CI plugins share: reading variables, and the rules of tags, branches and pull requests. */
import { type CiFacts, type CiValue, definePlugin, type Plugin } from "../../core/contract/plugin.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** What a CI system says, before the rules that hold for all of them. */
export interface CiReading {
  readonly name: string;
  readonly tag: CiValue;
  readonly branch: CiValue;
  readonly buildId: CiValue;
  /** Present when a pull request (merge request, change) is built. */
  readonly pull?: PullRequest;
}

/** A pull request as far as the CI system tells. */
export interface PullRequest {
  /** The branch that wants to be merged, with where it was looked for. */
  readonly source: CiValue;
  readonly target: string | undefined;
  readonly number: CiValue;
  /** Whether it comes from another repository; false when the system does not say. */
  readonly fork: boolean;
}

/**
 * Makes the plugin of a CI system.
 *
 * @param read answers undefined when the environment is not that of this system
 */
export function ciPlugin(
  name: string,
  read: (env: Env) => CiReading | undefined | Promise<CiReading | undefined>,
): Plugin<undefined> {
  return definePlugin({
    name,
    api: 1,
    setup: () => ({
      detectCi: async ({ env }) => {
        const reading = await read(env);
        return reading && factsOf(reading);
      },
    }),
  });
}

/**
 * A build is of a tag or of a branch, never of both: many systems repeat the tag where the branch is expected.
 *
 * A pull request is built as its source branch. One from a fork, or from a branch with the name of its target, is
 * `pull/NUMBER` instead: otherwise a stranger's branch `main` would overwrite what was published for `main`.
 */
function factsOf({ pull, ...facts }: CiReading): CiFacts {
  if (facts.tag.value !== undefined) return { ...facts, branch: { ...facts.branch, value: undefined } };
  if (!pull) return facts;
  const { source, target, number, fork } = pull;
  const numbered = { ...number, value: number.value && `pull/${number.value}` };
  if (fork || source.value === undefined || source.value === target) return { ...facts, branch: numbered };
  return { ...facts, branch: source };
}

/** The first of the variables that holds something. */
export function firstOf(env: Env, ...variables: readonly string[]): CiValue {
  return { value: variables.map((name) => textOf(env, name)).find((text) => text !== undefined), variables };
}

/** What is behind `refs/tags/` or `refs/heads/` in the first of the variables that holds such a ref. */
export function refOf(env: Env, kind: "tags" | "heads", ...variables: readonly string[]): CiValue {
  const prefix = `refs/${kind}/`;
  const ref = variables.map((name) => textOf(env, name)).find((text) => text?.startsWith(prefix));
  return { value: ref?.slice(prefix.length) || undefined, variables };
}

/** The value of a variable; undefined when it is unset or blank. */
export function textOf(env: Env, variable: string): string | undefined {
  return env[variable]?.trim() || undefined;
}

/** Whether a variable is set to something that does not mean no. */
export function isOn(env: Env, variable: string): boolean {
  const text = textOf(env, variable)?.toLowerCase();
  return text !== undefined && text !== "false" && text !== "0";
}
