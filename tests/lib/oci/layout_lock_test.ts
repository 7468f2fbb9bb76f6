import assert from "node:assert/strict";
import { LayoutDirectory } from "../../../lib/oci/layout_dir.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();

Deno.test("LayoutDirectory waits for no lock that it has itself", async () => {
  await withTempDir(async (dir) => {
    const layout = new LayoutDirectory(`${dir}/layout`);
    const { prototype } = Deno.FsFile;
    const real = prototype.tryLock;
    const refused: boolean[] = [];
    prototype.tryLock = async function (exclusive) {
      const got = await real.call(this, exclusive);
      if (!got) refused.push(exclusive ?? false);
      return got;
    };
    try {
      for (let round = 0; round < 2; round++) {
        await layout.locked(
          signal,
          () => layout.writeIndex({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }),
        );
      }
    } finally {
      prototype.tryLock = real;
    }
    assert.deepEqual(refused, []);
    assert.deepEqual((await layout.index()).manifests, []);
  });
});
