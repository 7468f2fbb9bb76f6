import assert from "node:assert/strict";
import { lastCommits } from "../../../core/git/history.ts";
import { commit, git, inTemp, makeRepository, open } from "./fixture.ts";

Deno.test("lastCommits() names the newest commit that changed each path", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "p/a": "1", "p/b\nx": "1", "p/c": "1", "out": "1" });
    const first = await git(dir, "rev-parse", "HEAD");
    const second = await commit(dir, { "p/a": "2", "out": "2" }, "Change a\n\nbody");
    const third = await commit(dir, { "p/b\nx": "2" }, "Change b: ünï");
    const fourth = await commit(dir, { "p/c": null }, "Delete c");
    const repository = await open(`${dir}/p`);
    const all = await lastCommits(repository, ["a", "b\nx", "c", "unknown"]);
    assert.deepEqual(Object.fromEntries(all), {
      "a": `${second.slice(0, 10)} Change a`,
      "b\nx": `${third.slice(0, 10)} Change b: ünï`,
      "c": `${fourth.slice(0, 10)} Delete c`,
    });
    const some = await lastCommits(repository, ["a", "b\nx"], { from: second });
    assert.deepEqual([...some.keys()], ["b\nx"]);
    const older = await lastCommits(repository, ["a", "b\nx"], { to: second });
    assert.equal(older.get("b\nx"), `${first.slice(0, 10)} first`);
    // A commit that was rebased away bounds nothing.
    assert.equal((await lastCommits(repository, ["a"], { from: "1".repeat(40) })).size, 1);
    assert.equal((await lastCommits(repository, ["a"], { limit: 1 })).size, 0);
    assert.equal((await lastCommits(repository, [])).size, 0);
  }));

Deno.test("lastCommits() blames no commit for what a shallow clone cannot know", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1", "b": "1" });
    await commit(origin, { "c": "1" }, "Add c");
    const last = await commit(origin, { "b": "2" }, "Change b");
    await git(dir, "clone", "--quiet", "--depth=2", `file://${origin}`, "shallow");
    const found = await lastCommits(await open(`${dir}/shallow`), ["a", "b", "c"]);
    assert.deepEqual(Object.fromEntries(found), { "b": `${last.slice(0, 10)} Change b` });
  }));

Deno.test("lastCommits() gives the commit that moved the submodule, and nothing without commits", () =>
  inTemp(async (dir) => {
    const lib = await makeRepository(`${dir}/lib`, { "f": "1" });
    const top = await makeRepository(`${dir}/top`, { "a": "1" });
    await git(top, "submodule", "--quiet", "add", lib, "sub");
    const added = await commit(top, {}, "Add sub");
    await commit(top, { "a": "2" }, "later");
    const found = await lastCommits(await open(top), ["sub/f"]);
    assert.deepEqual(Object.fromEntries(found), { "sub/f": `${added.slice(0, 10)} Add sub` });
    const many = Array.from({ length: 200_000 }, (_, i) => `sub/f${i}`);
    assert.equal((await lastCommits(await open(top), many)).size, many.length);

    const empty = await makeRepository(`${dir}/empty`);
    await Deno.writeTextFile(`${empty}/a`, "");
    assert.equal((await lastCommits(await open(empty, { dev: true, scratch: `${dir}/s` }), ["a"])).size, 0);
  }));
