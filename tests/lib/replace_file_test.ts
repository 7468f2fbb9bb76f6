import assert from "node:assert/strict";
import { removeUnfinished, removeUnfinishedOf, replaceFile } from "../../lib/replace_file.ts";
import { withTempDir } from "../support/tmp.ts";

const module = new URL("../../lib/replace_file.ts", import.meta.url).href;

/** A process that writes a file and never ends with it. */
async function startWriter(path: string): Promise<Deno.ChildProcess> {
  const program = `
    import { replaceFile } from ${JSON.stringify(module)};
    await replaceFile(${JSON.stringify(path)}, async (temp) => {
      await Deno.writeTextFile(temp, "half");
      await Deno.writeTextFile(temp + ".old", "as while it is renamed");
      console.log("begun");
      setInterval(() => {}, 1e6);
      await new Promise(() => {});
    });`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(program));
  await input.close();
  const reader = child.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "begun\n");
  await reader.cancel();
  return child;
}

const names = (dir: string) => Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();

Deno.test("removeUnfinished() removes what a writer that was killed left, and never what one is writing", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/app.tar`;
    const others = ["app.tar.tmp", "app.tar.0123.tmp", "app.tar.01234567.bak", "else.tar.01234567.tmp"];
    for (const name of others) await Deno.writeTextFile(`${dir}/${name}`, "");
    await Deno.mkdir(`${dir}/app.tar.01234567.tmp`);
    const kept = [...others, "app.tar.01234567.tmp"].sort();
    const child = await startWriter(path);
    const meanwhile = names(dir);
    assert.equal(meanwhile.length, kept.length + 2);
    await removeUnfinishedOf(path);
    assert.deepEqual(names(dir), meanwhile);
    // Another one beside it may write, too, and finishes.
    await replaceFile(path, (temp) => Deno.writeTextFile(temp, "whole"));
    assert.deepEqual(names(dir), ["app.tar", ...meanwhile].sort());
    child.kill("SIGKILL");
    await child.status;
    await removeUnfinishedOf(path);
    assert.deepEqual(names(dir), ["app.tar", ...kept].sort());
    await removeUnfinished(dir, () => true);
    assert.deepEqual(names(dir), ["app.tar", ...kept].filter((name) => !name.startsWith("else")).sort());
    assert.equal(await Deno.readTextFile(path), "whole");
  });
});

Deno.test("removeUnfinished() of a directory that is not there does nothing", async () => {
  await withTempDir(async (dir) => {
    await removeUnfinishedOf(`${dir}/absent/app.tar`);
    assert.deepEqual(names(dir), []);
  });
});
