import assert from "node:assert/strict";
import { CASES, FullDisk } from "./full_disk.ts";
import { randomNumbers } from "../support/random_history.ts";

/** By hand: hundreds. */
const ROUNDS = Number(Deno.env.get("ROUNDS") ?? 10);
const root = Deno.build.os === "linux" && Deno.uid() === 0;

Deno.test({
  name:
    "on a full disk everything that removes works, all else says where and what to do, and goes on when there is room",
  ignore: !root,
  async fn(t) {
    await using disk = await FullDisk.make();
    for (const each of CASES) {
      await t.step(`no room at all: ${each.args.join(" ")}`, async () => {
        await disk.check(each, { bytes: 0, inodes: 0 });
      });
    }
    const failed = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const random = randomNumbers(round);
      const each = CASES[(round * 12) % CASES.length]!;
      // As often little as much: from a page to more than any of them needs.
      const bytes = Math.floor(2 ** (12 + random() * 12.5));
      const inodes = random() < 0.5 ? 4000 : Math.floor(2 ** (random() * 10.5));
      await t.step(`${bytes} bytes, ${inodes} inodes: ${each.args.join(" ")}`, async () => {
        const { code } = await disk.check(each, { bytes, inodes });
        if (code !== 0) failed.add(each.args.join(" "));
      });
    }
    assert.ok(failed.size >= 2, `only these ran out of room: ${[...failed]}`);
  },
});
