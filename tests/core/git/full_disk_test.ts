import assert from "node:assert/strict";
import { EngineError } from "../../../core/contract/errors.ts";
import { placeFailure } from "../../../core/git/failure.ts";
import { remoteFailure } from "../../../core/git/remote_failure.ts";
import { mountSmallFs } from "../../support/small_fs.ts";
import { withTempDir } from "../../support/tmp.ts";

const output = (stderr: string) => ({ success: false, code: 128, stdout: new Uint8Array(), stderr, env: {} });
const SILENT =
  "error: cannot lock ref 'refs/dapp/x': unable to create directory for /store/git/sha1.git/refs/dapp/x\n";

Deno.test("a git that has no room names the place and the remedy, unless it is the other side's disk", async () => {
  await withTempDir(async (dir) => {
    const said = [
      "fatal: write error: No space left on device",
      "error: unable to write: Disk quota exceeded",
    ];
    for (const stderr of said) {
      const error = await remoteFailure(`Cannot read "u"`, output(`remote: Counting\n${stderr}\n`), dir);
      assert.equal(error.code, "GIT_FAILED");
      assert.ok(error.message.startsWith(`Cannot read "u": git cannot write to "${dir}": `), error.message);
      assert.match(error.fix, new RegExp(`^Free space.* on the file system of "${dir}"`));
      assert.equal(error.details.full, true);
    }
    const theirs = output("remote: fatal: write error: No space left on device\nfatal: early EOF\n");
    assert.equal(await placeFailure("Cannot", theirs, dir), undefined);
    assert.equal(await placeFailure("Cannot", output(SILENT), dir), undefined);
  });
});

Deno.test({
  name: "a git that does not say why it cannot write is asked for room on its disk",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    await using fs = await mountSmallFs({ bytes: 1 << 20, inodes: 50 });
    await fs.fill({ bytes: 0, inodes: 10 });
    const error = await placeFailure("Cannot", output(SILENT), fs.path);
    assert.ok(error instanceof EngineError && error.details.full);
    assert.equal(await placeFailure("Cannot", output("fatal: repository not found"), fs.path), undefined);
  },
});
