/** The flags that say what is improper, and so is to be removed. */
import type { EngineError } from "../core/contract/errors.ts";
import type { OptionName } from "./options.ts";
import type { CommandSpec, Context } from "./command.ts";
import { usage } from "./usage.ts";

/** What commands that clean stages up are asked to remove. */
export interface Improper {
  /** --improper-repo-cache */
  readonly unneeded: boolean;
  /** --improper-cache-version */
  readonly version: boolean;
  /** --improper-git-commit */
  readonly commit: boolean;
}

/**
 * The three flags of a command that cleans stages up; says what has become of the third, with `left` at the end.
 *
 * @throws USAGE when there is none of them
 */
export function improper({ options, command, progress }: Context, left: string): Improper {
  const flags = ["improper-repo-cache", "improper-cache-version", "improper-git-commit"] as const;
  const [unneeded, version, commit] = flags.map((name) => options.flag(name)) as [boolean, boolean, boolean];
  if (!unneeded && !version && !commit) throw nothingChosen(command, flags);
  if (commit) {
    progress.note(
      "note: --improper-git-commit is not needed any more: signatures cover content, so a lost commit makes no stage " +
        `wrong; ${left}`,
    );
  }
  return { unneeded, version, commit };
}

/** No flag says what is to be removed. */
export function nothingChosen({ path }: CommandSpec, flags: readonly OptionName[]): EngineError {
  const named = flags.map((name) => `--${name}`).join(", ");
  return usage(`Cannot run dapp ${path}: nothing says what to remove, wanted is one of ${named}`, path);
}
