import { runGit } from "./process.ts";
import type { LocalRepository } from "./repository.ts";

/** Id of a commit's tree, which a squash or rebase keeps; undefined when git does not tell. */
export async function treeOf(repository: LocalRepository, commit: string): Promise<string | undefined> {
  const database = await repository.database("");
  const output = await runGit([...database.at, "rev-parse", "--verify", "-q", `${commit}^{tree}`], database);
  return output.success ? new TextDecoder().decode(output.stdout).trim() : undefined;
}
