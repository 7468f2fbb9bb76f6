import assert from "node:assert/strict";
import { heldDirectoryHint } from "../../core/build/failed_command.ts";
import { lockMounts } from "../../core/build/step_mounts.ts";
import type { StepMount } from "../../core/contract/builder.ts";
import { LocalLocks } from "../../plugins/store/local/process_locks.ts";
import type { ScratchFiles } from "../../plugins/store/local/scratch_files.ts";
import { withTempDir } from "../support/tmp.ts";

const cache = (target: string, locked?: true): StepMount => ({
  kind: "cache",
  project: "shop",
  name: target,
  target,
  ...(locked && { locked }),
});

Deno.test("lockMounts() lets one step at a time have what is locked, and all have what is shared", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/locks`);
    const locks = new LocalLocks(dir, {} as ScratchFiles);
    const { signal } = new AbortController();
    const waits = Promise.withResolvers<void>();
    const take = (mounts: readonly StepMount[], timeoutMs = 60_000) =>
      lockMounts(mounts, locks, { signal, timeoutMs, onWait: () => waits.resolve() });

    const first = await take([cache("/b", true), cache("/a", true), cache("/shared")]);
    await using _shared = await take([cache("/shared"), { kind: "tmp", target: "/a" }]);
    await using _other = await take([cache("/c", true)]);
    await assert.rejects(take([cache("/a", true)], 0), /Cannot lock mount shop \/a/);

    const done: string[] = [];
    const second = take([cache("/a", true), cache("/b", true)]).then((held) => {
      done.push("second");
      return held;
    });
    await waits.promise;
    done.push("first");
    await first[Symbol.asyncDispose]();
    await using _second = await second;
    assert.deepEqual(done, ["first", "second"]);
  });
});

Deno.test("heldDirectoryHint() names the mount whose directory a command could not lock", () => {
  const apt = [
    "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 0",
    "E: Unable to lock directory /var/cache/apt/archives/",
  ].join("\n");
  const mount = { to: "/var/cache/apt", from: "build_dir", line: 3 } as const;
  assert.match(
    heldDirectoryHint(apt, [{ ...mount, to: "/npm" }, mount])!,
    /"\/var\/cache\/apt".*sharing: locked/,
  );
  assert.equal(heldDirectoryHint(apt, [{ ...mount, to: "/var/cache/ap" }]), undefined);
  assert.equal(heldDirectoryHint(apt, [{ ...mount, from: "tmp_dir" }]), undefined);
  assert.equal(heldDirectoryHint(apt, [{ ...mount, sharing: "locked" }]), undefined);
  assert.equal(heldDirectoryHint("E: Unable to locate package nodejs", [mount]), undefined);
});
