/** Temporary directories that are gone when the test is. */
import { run } from "./process.ts";

/** Calls `body` with a fresh directory (below $TMPDIR) and removes it afterwards, whatever happened. */
export async function withTempDir<T>(body: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "dapp-test-" });
  try {
    return await body(dir);
  } finally {
    await removeTree(dir);
  }
}

/** Removes a tree, also one with names that are not UTF-8 or directories without write permission. */
export async function removeTree(dir: string): Promise<void> {
  const { code } = await run(["rm", "-rf", "--one-file-system", dir], { allowFailure: true });
  if (code === 0) return;
  await run(["chmod", "-R", "u+rwX", dir], { allowFailure: true });
  await run(["rm", "-rf", "--one-file-system", dir]);
}
