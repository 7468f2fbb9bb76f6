import assert from "node:assert/strict";
import { assertNoLeaks, leakSnapshot } from "./leaks.ts";
import { kill, run, RunError } from "./process.ts";
import { removeTree, withTempDir } from "./tmp.ts";

Deno.test("run() captures output, feeds input and passes environment and directory", async () => {
  const script = 'cat; echo "$NAME" >&2; pwd';
  const result = await run(["sh", "-c", script], { stdin: "in\n", env: { NAME: "value" }, cwd: "/" });
  assert.deepEqual(result, { code: 0, stdout: "in\n/\n", stderr: "value\n" });
});

Deno.test("run() does not mind a child that leaves its input unread", async () => {
  assert.equal((await run(["true"], { stdin: "x".repeat(1_000_000) })).code, 0);
});

Deno.test("run() fails with the command, its exit code and the end of its output", async () => {
  await assert.rejects(run(["sh", "-c", "seq 100; echo why >&2; exit 3"]), (error: unknown) => {
    assert.ok(error instanceof RunError);
    assert.equal(error.result.code, 3);
    assert.match(
      error.message,
      /^Cannot run "sh -c .*": exit code 3\n--- stdout\n71\n[^]*100\n--- stderr\nwhy$/,
    );
    return true;
  });
  assert.equal((await run(["sh", "-c", "exit 3"], { allowFailure: true })).code, 3);
});

Deno.test("run() kills a child that takes too long, even when a grandchild holds its output", async () => {
  const script = "echo begun; sleep 1000 & echo $!; wait";
  await assert.rejects(run(["sh", "-c", script], { timeoutMs: 300 }), (error: unknown) => {
    assert.ok(error instanceof RunError);
    assert.match(error.message, /it did not end within 300 ms/);
    const [begun, grandchild] = error.result.stdout.split("\n");
    assert.equal(begun, "begun");
    Deno.kill(Number(grandchild), "SIGKILL");
    return true;
  });
});

Deno.test("withTempDir() removes the directory, whatever is in it", async () => {
  let seen = "";
  await assert.rejects(
    withTempDir(async (dir) => {
      seen = dir;
      await run(["sh", "-c", "mkdir -p a/b && touch \"a/$(printf '\\377')\" && chmod 0 a/b a"], { cwd: dir });
      throw new Error("from the body");
    }),
    /from the body/,
  );
  await assert.rejects(Deno.stat(seen), Deno.errors.NotFound);
});

Deno.test("assertNoLeaks() names a process and a file left behind, and accepts what was there before", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/old`, "");
    const before = await leakSnapshot({ mention: [dir], entriesOf: [dir] });
    await assertNoLeaks(before, 0);
    const child = new Deno.Command("sleep", { args: ["1000"], cwd: dir }).spawn();
    await Deno.writeTextFile(`${dir}/new`, "");
    const expected = new RegExp(`Left behind: 2 items\nprocess ${child.pid} .*\nfile ${dir}/new$`);
    await assert.rejects(assertNoLeaks(before, 0), expected);
    kill(child, "SIGKILL");
    await child.status;
    await Deno.remove(`${dir}/new`);
    await assertNoLeaks(before);
  } finally {
    await removeTree(dir);
  }
});
