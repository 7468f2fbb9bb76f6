import assert from "node:assert/strict";
import { commit, contents, git, inTemp, list, makeRepository, open, plainTree, write } from "./fixture.ts";

/** Every file below `.git` with its bytes, to show that nothing there changed; git renews times of objects it meets again. */
async function fingerprint(dir: string): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) out.push(...await fingerprint(path));
    else {
      const time = path.includes("/objects/") ? "" : (await Deno.stat(path)).mtime?.getTime();
      out.push(`${path} ${(await Deno.readFile(path)).join(",")} ${time}`);
    }
  }
  return out.sort();
}

Deno.test("dev mode reads index and disk and leaves the repository as it was", () =>
  inTemp(async (dir) => {
    const repo = await makeRepository(`${dir}/repo`, {
      "keep": "1",
      "edit": "1",
      "delete": "1",
      "rm": "1",
      ".gitignore": "*.log\n",
    });
    await write(repo, {
      "edit": "2",
      "delete": null,
      "new/file": "n",
      "skip.log": "ignored",
      "staged": "s1",
      "tool": "#!\n",
    });
    await Deno.chmod(`${repo}/tool`, 0o755);
    await git(repo, "rm", "--quiet", "rm");
    await git(repo, "add", "staged");
    await write(repo, { "staged": "s2" });
    await Deno.symlink("keep", `${repo}/link`);
    const before = await fingerprint(`${repo}/.git`);

    const repository = await open(repo, { dev: true, scratch: `${dir}/scratch` });
    assert.deepEqual(await list(repository), [
      "100644 .gitignore",
      "100644 edit",
      "100644 keep",
      "120000 link",
      "100644 new/file",
      "100644 staged",
      "100755 tool",
    ]);
    const read = await contents(repository);
    assert.deepEqual([read["edit"], read["new/file"], read["staged"], read["keep"]], ["2", "n", "s2", "1"]);
    const tree = await plainTree(repository);
    assert.equal(tree.commit, undefined);
    assert.deepEqual(await fingerprint(`${repo}/.git`), before);

    // What a commit of the same state has is what dev mode saw.
    await commit(repo);
    const committed = await open(repo);
    assert.deepEqual((await plainTree(committed)).files, tree.files);
    assert.equal((await committed.tree()).treeId, tree.treeId);
  }));

Deno.test("dev mode without changes is the commit", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1", ".gitignore": "ignored" });
    await write(dir, { "ignored": "" });
    const [dev, plain] = [await open(dir, { dev: true }), await open(dir)];
    assert.deepEqual(await plainTree(dev), await plainTree(plain));
    assert.equal(await dev.stateId(), await plain.stateId());
  }));

Deno.test("dev mode works before the first commit, below a directory, and next to a conflict", async (t) => {
  await t.step("before the first commit", () =>
    inTemp(async (dir) => {
      const repo = await makeRepository(`${dir}/r`);
      await write(repo, { "a": "1" });
      assert.deepEqual(await contents(await open(repo, { dev: true, scratch: `${dir}/s` })), { "a": "1" });
    }));
  await t.step("subdirectory that was never committed", () =>
    inTemp(async (dir) => {
      const repo = await makeRepository(`${dir}/r`, { "top": "1" });
      await write(repo, { "sub/a": "1", "top": "2" });
      assert.deepEqual(await contents(await open(`${repo}/sub`, { dev: true, scratch: `${dir}/s` })), {
        "a": "1",
      });
    }));
  await t.step("changes outside the project do not count", () =>
    inTemp(async (dir) => {
      const repo = await makeRepository(`${dir}/r`, { "top": "1", "sub/a": "1" });
      await write(repo, { "top": "2" });
      assert.notEqual((await (await open(`${repo}/sub`, { dev: true })).tree()).commit, undefined);
    }));
  await t.step("conflict outside and inside the project", () =>
    inTemp(async (dir) => {
      const repo = await makeRepository(`${dir}/r`, { "top": "1", "sub/a": "1" });
      await git(repo, "checkout", "--quiet", "-b", "other");
      await commit(repo, { "top": "2", "sub/a": "2" });
      await git(repo, "checkout", "--quiet", "main");
      await commit(repo, { "top": "3", "sub/a": "3" });
      await assert.rejects(git(repo, "merge", "other"));
      await write(repo, { "sub/a": "resolved" });
      const repository = await open(`${repo}/sub`, { dev: true, scratch: `${dir}/s` });
      assert.deepEqual((await repository.head()).uncommitted, [{ path: "a", state: "conflicted" }]);
      assert.deepEqual(await contents(repository), { "a": "resolved" });
    }));
  await t.step("nothing but ignored files", () =>
    inTemp(async (dir) => {
      const repo = await makeRepository(`${dir}/r`, { ".gitignore": "sub\n", "top": "1" });
      await write(repo, { "sub/a": "1" });
      await assert.rejects((await open(`${repo}/sub`, { dev: true, scratch: `${dir}/s` })).tree(), {
        code: "GIT_FAILED",
      });
    }));
});

Deno.test("dev mode sees a change of equal size in the same instant as the last git add", () =>
  inTemp(async (dir) => {
    for (let round = 0; round < 5; round++) {
      const repo = await makeRepository(`${dir}/r${round}`, { "a": "1" });
      await write(repo, { "a": "2", "b": "x" });
      const read = await contents(await open(repo, { dev: true, scratch: `${dir}/s${round}` }));
      assert.deepEqual(read, { "a": "2", "b": "x" });
    }
  }));

Deno.test("dev mode stores text as git add does", () =>
  inTemp(async (dir) => {
    const repo = await makeRepository(`${dir}/r`, { ".gitattributes": "*.txt text\n*.big filter=up\n" });
    await git(repo, "config", "filter.up.clean", "tr a-z A-Z");
    await git(repo, "config", "core.safecrlf", "true");
    await write(repo, { "a.txt": "one\r\ntwo\r\n", "b.bin": "one\r\n", "c.big": "pointer" });
    const { ".gitattributes": _, ...read } = await contents(
      await open(repo, { dev: true, scratch: `${dir}/s` }),
    );
    assert.deepEqual(read, { "a.txt": "one\ntwo\n", "b.bin": "one\r\n", "c.big": "POINTER" });
  }));

Deno.test("dev mode works in a worktree and a path with odd characters", () =>
  inTemp(async (dir) => {
    const repo = await makeRepository(`${dir}/r "q" #1`, { "a": "1" });
    const tree = `${dir}/w:t`;
    await git(repo, "worktree", "add", "--quiet", "--detach", tree);
    await write(tree, { "a": "2" });
    await write(repo, { "a": "3" });
    assert.deepEqual(await contents(await open(tree, { dev: true, scratch: `${dir}/s` })), { "a": "2" });
    assert.deepEqual(await contents(await open(repo, { dev: true, scratch: `${dir}/s` })), { "a": "3" });
  }));
