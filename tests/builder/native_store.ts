/** What tests of the native builder as a process share. */
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { removeTree, withTempDir } from "../support/tmp.ts";

const rootless = Deno.uid() !== 0;

/** Calls `work` with a place for a store and the layout of a base image. Afterwards the store is gone. */
export async function withStore(work: (home: string, layout: string) => Promise<void>): Promise<void> {
  const layout = await busyboxBase();
  await withTempDir(async (dir) => {
    try {
      await work(`${dir}/store`, layout);
    } finally {
      if (rootless) await run(["unshare", "--map-root-user", "--map-auto", "rm", "-rf", `${dir}/store`]);
      else await removeTree(`${dir}/store`);
    }
  });
}
