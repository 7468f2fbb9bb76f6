import assert from "node:assert/strict";
import { selectFiles } from "../../../core/git/select.ts";
import { commit, contents, git, inTemp, list, makeRepository, memoryMemo, open, write } from "./fixture.ts";

/** `super` with `libs/mid`, which has `inner`; the submodule's name differs from its path. */
async function nested(dir: string): Promise<string> {
  await makeRepository(`${dir}/inner-origin`, { "deep": "deep\n" });
  const mid = await makeRepository(`${dir}/mid-origin`, { "m": "mid\n", "z": "z" });
  await git(mid, "submodule", "--quiet", "add", `${dir}/inner-origin`, "inner");
  await commit(mid, {}, "inner");
  const top = await makeRepository(`${dir}/super`, { "a": "1", "libs.txt": "2", "zz": "3" });
  await git(top, "submodule", "--quiet", "add", "--name", "the lib", `${dir}/mid-origin`, "libs/mid");
  await git(top, "submodule", "--quiet", "update", "--init", "--recursive");
  await commit(top, {}, "submodule");
  return top;
}

const everything = { add: "/", to: "/app", includePaths: [], excludePaths: [] };
const files = [
  "100644 .gitmodules",
  "100644 a",
  "100644 libs.txt",
  "100644 libs/mid/.gitmodules",
  "100644 libs/mid/inner/deep",
  "100644 libs/mid/m",
  "100644 libs/mid/z",
  "100644 zz",
];

Deno.test("tree() holds the files of submodules, nested ones too, in place", () =>
  inTemp(async (dir) => {
    const top = await nested(dir);
    const memo = memoryMemo();
    for (let round = 0; round < 2; round++) {
      const repository = await open(top, { memo });
      assert.deepEqual(await list(repository), files);
      const read = await contents(repository);
      assert.equal(read["libs/mid/inner/deep"], "deep\n");
      assert.equal(read["libs/mid/m"], "mid\n");
      assert.equal(memo.hits, round);
    }
    assert.deepEqual(
      await list(await open(`${top}/libs`)),
      files.filter((f) => f.includes(" libs/")).map((f) => f.replace("libs/", "")),
    );
    assert.deepEqual(await list(await open(`${top}/libs/mid`)), [
      "100644 .gitmodules",
      "100644 inner/deep",
      "100644 m",
      "100644 z",
    ]);
  }));

Deno.test("submodules are found below .git/modules when they are not checked out", () =>
  inTemp(async (dir) => {
    const top = await nested(dir);
    await git(top, "worktree", "add", "--quiet", "--detach", `${dir}/wt`);
    assert.deepEqual(await list(await open(`${dir}/wt`)), files);
    await git(top, "submodule", "--quiet", "deinit", "--force", "--all");
    const repository = await open(top);
    assert.deepEqual(await list(repository), files);
    assert.equal((await contents(repository))["libs/mid/inner/deep"], "deep\n");
  }));

Deno.test("a submodule that is not initialised fails those who take files from it", () =>
  inTemp(async (dir) => {
    const top = await nested(dir);
    await git(dir, "clone", "--quiet", top, "plain");
    const memo = memoryMemo();
    const tree = await (await open(`${dir}/plain`, { memo })).tree();
    assert.deepEqual(tree.gaps.map((g) => g.path), ["libs/mid"]);
    assert.deepEqual([...memo.values.keys()].filter((key) => !key.includes("git-commit-tree")), []);
    const missing = (error: Error & { code: string; fix: string }) => {
      assert.equal(error.code, "GIT_MISSING_OBJECT");
      assert.match(error.message, /submodule "libs\/mid": it is not initialised/);
      assert.match(error.fix, /git -C \S+ submodule update --init/);
      return true;
    };
    for (
      const rule of [
        {},
        { add: "/libs" },
        { add: "/libs/mid" },
        { add: "/libs/mid/inner" },
        { includePaths: ["libs"] },
        { includePaths: ["**/*.js"] },
        { excludePaths: ["libs/mid/m"] },
      ]
    ) {
      assert.throws(() => selectFiles(tree, { ...everything, ...rule }), missing, JSON.stringify(rule));
    }
    for (const rule of [{ add: "/a" }, { excludePaths: ["libs"] }, { includePaths: ["a", "*.txt"] }]) {
      assert(selectFiles(tree, { ...everything, ...rule }).files.length > 0);
    }
    await git(`${dir}/plain`, "submodule", "--quiet", "update", "--init", "--recursive");
    assert.deepEqual(await list(await open(`${dir}/plain`)), files);
  }));

Deno.test("a submodule without the commit is named with it", () =>
  inTemp(async (dir) => {
    const top = await nested(dir);
    const lost = "1".repeat(40);
    await git(top, "update-index", "--cacheinfo", `160000,${lost},libs/mid`);
    await git(top, "commit", "--quiet", "--message", "not pushed");
    const tree = await (await open(top)).tree();
    assert.throws(() => selectFiles(tree, everything), {
      message: new RegExp(`"libs/mid": its commit ${lost} is not there`),
    });
  }));

Deno.test("an embedded repository without .gitmodules counts when it is there", () =>
  inTemp(async (dir) => {
    const top = await makeRepository(`${dir}/top`, { "a": "1" });
    await makeRepository(`${top}/vendor/lib`, { "f": "2" });
    await commit(top, {}, "embedded");
    assert.deepEqual(await list(await open(top)), ["100644 a", "100644 vendor/lib/f"]);
    await git(dir, "clone", "--quiet", "top", "copy");
    assert.equal((await (await open(`${dir}/copy`)).tree()).gaps.length, 1);
  }));

Deno.test("dev mode sees the work trees of submodules", () =>
  inTemp(async (dir) => {
    const top = await nested(dir);
    const clean = await open(top, { dev: true });
    assert.deepEqual(await list(clean), files);
    const before = await clean.stateId();
    await write(top, { "libs/mid/m": "edited\n", "libs/mid/inner/new": "new\n", "a": null });
    const repository = await open(top, { dev: true, scratch: `${dir}/scratch` });
    const read = await contents(repository);
    assert.equal(read["libs/mid/m"], "edited\n");
    assert.equal(read["libs/mid/inner/new"], "new\n");
    assert.equal(read["libs/mid/inner/deep"], "deep\n");
    assert(!("a" in read));
    const edited = await repository.stateId();
    assert.notEqual(edited, before);
    await write(top, { "libs/mid/m": "edited again\n" });
    assert.notEqual(await (await open(top, { dev: true, scratch: `${dir}/scratch` })).stateId(), edited);
  }));
