import assert from "node:assert/strict";
import { debianBase } from "./bases.ts";
import { assertNoLeaks, leakSnapshot } from "./leaks.ts";
import { mountJournalFs } from "./journal_fs.ts";
import { peer } from "./peers.ts";
import { run } from "./process.ts";
import { withTempDir } from "./tmp.ts";

Deno.test("busyboxBase() is made once for callers that ask together, and real tools can read it", async () => {
  if (await peer("skopeo") === undefined || await peer("umoci") === undefined) return;
  await withTempDir(async (dir) => {
    const script = `import { busyboxBase } from "${new URL("./bases.ts", import.meta.url)}";
      console.log((await Promise.all([busyboxBase(), busyboxBase()])).join("\\n"));`;
    const ask = () => run([Deno.execPath(), "eval", "--ext=ts", script], { env: { XDG_CACHE_HOME: dir } });
    const answers = (await Promise.all([ask(), ask()])).map(({ stdout }) => stdout.trim().split("\n")).flat();
    const [layout = ""] = answers;
    assert.deepEqual(answers, [layout, layout, layout, layout]);
    const left = [...Deno.readDirSync(`${dir}/dapp-tests`)].filter(({ name }) => name.endsWith(".new"));
    assert.deepEqual(left, []);

    const { stdout } = await run(["skopeo", "inspect", "--config", `oci:${layout}:latest`]);
    assert.deepEqual(JSON.parse(stdout).config, { Env: ["PATH=/bin"], Cmd: ["sh"] });
    if (Deno.uid() !== 0) return;
    await run(["umoci", "unpack", "--image", `${layout}:latest`, `${dir}/bundle`]);
    const echo = await run(["chroot", `${dir}/bundle/rootfs`, "/bin/sh", "-c", "echo inside | tr a-z A-Z"]);
    assert.equal(echo.stdout, "INSIDE\n");
  });
});

Deno.test("debianBase() holds Debian 12 whose apt knows this machine's mirror", async () => {
  const layout = await debianBase();
  if (layout === undefined || await peer("umoci") === undefined) return;
  await withTempDir(async (dir) => {
    await run(["umoci", "unpack", "--image", `${layout}:latest`, `${dir}/bundle`]);
    const rootfs = `${dir}/bundle/rootfs`;
    assert.match(await Deno.readTextFile(`${rootfs}/etc/debian_version`), /^12\./);
    assert.match(await Deno.readTextFile(`${rootfs}/etc/apt/sources.list`), /^deb \S+ bookworm main/m);
    assert.equal(
      await Deno.readTextFile(`${rootfs}/etc/dpkg/dpkg.cfg.d/docker-apt-speedup`),
      "force-unsafe-io\n",
    );
    const { stdout } = await run(["chroot", rootfs, "apt-config", "dump"]);
    assert.match(stdout, /Acquire::Check-Valid-Until "false";/);
  });
});

Deno.test("mountJournalFs() gives a journaled file system and takes it away", async () => {
  if (Deno.uid() !== 0 || await peer("mkfs.ext4") === undefined) return;
  await withTempDir(async (dir) => {
    const before = await leakSnapshot({ mention: [dir], entriesOf: [dir] });
    {
      await using fs = await mountJournalFs(1, dir);
      const { stdout } = await run(["findmnt", "--noheadings", "--output", "FSTYPE,SOURCE", fs.path]);
      const [type, device = ""] = stdout.trim().split(/\s+/);
      assert.equal(type, "ext4");
      assert.match((await run(["dumpe2fs", "-h", device])).stdout, /has_journal/);
    }
    await assertNoLeaks(before);
  });
});
