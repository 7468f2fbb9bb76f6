/** Images and steps that are odd where a builder must look. */
import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { type LayerItem, makeLayer } from "../../testing/builder/layers.ts";
import { nativeFixture } from "./native_fixture.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

const link = (path: string, target: string): LayerItem => ({
  path,
  type: "symlink",
  link: target,
  mode: 0o777,
});

Deno.test("an image that wants no resolv.conf or hosts of ours gets none, and nothing else is covered by them", async (t) => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const cases: readonly [title: string, items: LayerItem[], command: string, wanted: string][] = [
    [
      "a link to /dev/null",
      [link("etc/resolv.conf", "/dev/null")],
      "echo x >/dev/null; cat /etc/resolv.conf",
      "",
    ],
    [
      "a link into /sys",
      [link("etc/resolv.conf", "/sys/none/x")],
      "readlink /etc/resolv.conf",
      "/sys/none/x\n",
    ],
    ["a link into /proc", [link("etc/hosts", "/proc/self/comm")], "cat /etc/hosts", "cat\n"],
    [
      "a link to itself",
      [link("etc/resolv.conf", "resolv.conf")],
      "readlink /etc/resolv.conf",
      "resolv.conf\n",
    ],
    ["a directory", [{ path: "etc/hosts", type: "dir" }], "ls -d /etc/hosts", "/etc/hosts\n"],
    ["a pipe", [{ path: "etc/hosts", type: "fifo" }], "test -p /etc/hosts && echo pipe", "pipe\n"],
    ["a link to elsewhere", [link("etc/hosts", "../run/there/h")], "grep -c localhost /etc/hosts", "2\n"],
    [
      "/dev is /etc",
      [{ path: ".wh.dev" }, link("dev", "etc")],
      "cat /etc/null; ls -d /dev/tty",
      "/dev/tty\n",
    ],
  ];
  for (const [title, items, command, wanted] of cases) {
    await t.step(title, async () => {
      const image = [...fixture.base, await makeLayer(fixture.store, items)];
      const { output, diffId } = await runner.run(image, [command], { network: "none" });
      assert.equal(output, `$ ${command}\n${wanted}`);
      assert.equal(diffId, undefined);
    });
  }
});

Deno.test("an image without a shell is told with what helps, which no shell can", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  await assert.rejects(runner.run([], ["true"]), (error: EngineError) => {
    assert.match(error.message, /^Cannot build stage ".+": the image has no shell, neither/);
    assert.match(error.fix, /^Run the commands in an image with a shell/);
    return true;
  });
});

Deno.test("a path that is too deep is an error that names it, and is removed", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const deep = `cd /tmp; for i in $(seq 60); do mkdir ${"d".repeat(100)}; cd -P d*; done`;
  await assert.rejects(
    runner.run(fixture.base, [deep]),
    (error: unknown) => error instanceof EngineError && /"\/tmp\/d+\.\.\." is too deep/.test(error.message),
  );
  const left = [...Deno.readDirSync(`${fixture.store.path}/native/${fixture.rootless ? "user/" : ""}run`)];
  const [run] = left.filter(({ isDirectory }) => isDirectory);
  const steps = [
    ...Deno.readDirSync(`${fixture.store.path}/native/${fixture.rootless ? "user/" : ""}run/${run!.name}`),
  ];
  assert.deepEqual(steps.map(({ name }) => name), ["lock"]);
  assert.equal(await runner.ask(fixture.base, "ls /tmp"), "");
});

Deno.test("directories may be in each other as deep as paths reach", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const deep = Array(1900).fill("d").join("/");
  const { members } = await runner.run(fixture.base, [`mkdir -p /${deep}; echo end >/${deep}/f`]);
  assert.equal(members.get(`${deep}/f`)?.content, "end\n");
});

Deno.test("files of layers take nothing over from a store whose directories hand their group down", async (t) => {
  if (Deno.uid() !== 0) return; // nobody else can give a directory away
  await using fixture = await nativeFixture();
  await Deno.chown(fixture.store.path, null, 7);
  await Deno.chmod(fixture.store.path, 0o2755);
  const items: LayerItem[] = [
    { path: "plain", content: "x" },
    { path: "dir", type: "dir" },
    { path: "dir/inner", content: "x" },
    link("to", "plain"),
  ];
  const runner = new StageRunner(fixture.builder, fixture.store);
  const image = [...fixture.base, await makeLayer(fixture.store, items)];
  for (const path of ["plain", "dir", "dir/inner", "to"]) {
    await t.step(path, async () => {
      const command = `stat -c %g /${path}`;
      const { output } = await runner.run(image, [command], { network: "none" });
      assert.equal(output, `$ ${command}\n0\n`);
    });
  }
});
