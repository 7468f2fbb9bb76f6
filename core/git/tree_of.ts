import { runGit } from "./process.ts";
import type { LocalRepository } from "./repository.ts";

/**
 * Id of the tree of the commit that is checked out, which a squash or rebase keeps; undefined when git does not tell.
 * Git is asked where the project is a part of it; else its files are those of the tree, which the store has.
 */
export async function treeOf(repository: LocalRepository, commit: string): Promise<string | undefined> {
  if (repository.located.prefix === "") {
    const tree = await repository.tree();
    if (tree.commit === commit) return tree.treeId;
  }
  const database = await repository.database("");
  const output = await runGit([...database.at, "rev-parse", "--verify", "-q", `${commit}^{tree}`], database);
  return output.success ? new TextDecoder().decode(output.stdout).trim() : undefined;
}
