import assert from "node:assert/strict";
import { mountSmallFs } from "./small_fs.ts";

Deno.test({
  name: "SmallFs.free() gives the space back also while somebody holds what took it",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    await using fs = await mountSmallFs({ bytes: 1 << 20, inodes: 100 });
    await fs.fill({ bytes: 0, inodes: 10 });
    using _held = await Deno.open(`${fs.path}/ballast/bytes`);
    await assert.rejects(Deno.writeTextFile(`${fs.path}/a`, "a"), /No space left on device/);
    await fs.free();
    await Deno.writeTextFile(`${fs.path}/a`, "a");
  },
});
