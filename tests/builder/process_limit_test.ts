/** How many processes a step may have, what happens beyond, and who ends first for lack of memory. */
import assert from "node:assert/strict";
import { isKernelBefore } from "../../plugins/builder/native/kernel.ts";
import { noMoreProcesses, processLimit } from "../../plugins/builder/native/process_limit.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { nativeFixture } from "./native_fixture.ts";

/** Whether the kernel keeps a step of this user to a number of processes. */
const limited = Deno.uid() !== 0 || !isKernelBefore(Deno.osRelease(), [6, 14]);

const pidMax = () => Deno.readTextFileSync("/proc/sys/kernel/pid_max");

Deno.test({
  name: "a step cannot take all processes of the machine, and says so when it has all that it may have",
  ignore: !limited,
  async fn() {
    await using fixture = await nativeFixture();
    const runner = new StageRunner(fixture.builder, fixture.store);
    const before = pidMax();
    // The number of processes that could be started, which is less by those that started them.
    const count = "n=0; (while [ $n -lt 100000 ]; do sleep 600 & n=$((n+1)); echo $n >/dev/n; done)";
    const said = await runner.ask(fixture.base, `{ ${count}; } 2>/dev/null || read n </dev/n; echo $n`);
    const most = processLimit();
    assert.ok(Number(said) > most / 2 && Number(said) <= most, `${said} of ${most}`);
    await assert.rejects(runner.run(fixture.base, [count]), {
      code: "STAGE_FAILED",
      message: new RegExp(`no more processes could be started: it may have ${most} at once$`),
      fix: "Start fewer at once, as with make -j8",
    });
    assert.equal(pidMax(), before, "the machine's own limit is as it was");
    assert.equal(await runner.ask(fixture.base, "echo fine"), "fine\n");
  },
});

Deno.test("a step ends before dapp does where memory runs out", async () => {
  await using fixture = await nativeFixture();
  const own = Number(Deno.readTextFileSync("/proc/self/oom_score_adj"));
  const said = await new StageRunner(fixture.builder, fixture.store)
    .ask(fixture.base, "cat /proc/self/oom_score_adj");
  assert.equal(Number(said), Math.min(1000, Math.max(0, own) + 300));
});

Deno.test("noMoreProcesses() knows what programs print that cannot start a process or thread", () => {
  const texts = [
    "/dev/.dapp/script: eval: line 3: can't fork: Resource temporarily unavailable",
    "bash: fork: retry: Resource temporarily unavailable",
    "make: fork: Resource temporarily unavailable",
    "fatal error: pthread_create failed",
    "runtime: failed to create new OS thread (have 9 already; errno=11)",
    "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
    "RuntimeError: can't start new thread",
  ];
  assert.deepEqual(texts.filter((text) => !noMoreProcesses(`x\n${text}\n`)), []);
  const others = ["read: Resource temporarily unavailable", "cannot open fork.c: No such file or directory"];
  assert.deepEqual(others.filter((text) => noMoreProcesses(text)), []);
});

Deno.test("isKernelBefore() compares versions as numbers", () => {
  const releases = ["6.1.0-28-amd64", "6.12.9", "6.13.0-rc1", "6.14.0-24-generic", "6.18.44", "7.0", "10.1"];
  assert.deepEqual(releases.filter((release) => isKernelBefore(release, [6, 14])), releases.slice(0, 3));
});
