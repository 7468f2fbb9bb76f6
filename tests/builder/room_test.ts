/** What is advised when a step's output tells of a full disk. */
import assert from "node:assert/strict";
import { noRoom } from "../../plugins/builder/native/room.ts";
import { mountSmallFs } from "../support/small_fs.ts";

const said = "dd: error writing '/dev/shm/x': No space left on device\n";

Deno.test({
  name: "noRoom() sends nobody to a file system that has room",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    await using large = await mountSmallFs({ bytes: 4 * 2 ** 30, inodes: 400 });
    assert.match(
      (await noRoom(large.path, said))!.details.fix!,
      /^The file system of ".+" has room: see df in the step/,
    );
    await using small = await mountSmallFs({ bytes: 8 << 20, inodes: 400 });
    assert.match(
      (await noRoom(small.path, said))!.details.fix!,
      /^Free space or inodes on the file system of/,
    );
    await small.fill({ bytes: 0, inodes: 0 });
    assert.match((await noRoom(small.path, ""))!.why, /^no space is left on/);
    assert.equal(await noRoom(large.path, "permission denied"), undefined);
  },
});
