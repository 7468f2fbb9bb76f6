import assert from "node:assert/strict";
import { recallTreeId } from "../../../core/git/listing.ts";
import { openLocal } from "../../../core/git/repository.ts";
import { treeOf } from "../../../core/git/tree_of.ts";
import {
  commit,
  contents,
  git,
  inTemp,
  list,
  makeRepository,
  memoryMemo,
  open,
  plainTree,
  write,
} from "./fixture.ts";

Deno.test("tree() lists files of all modes with any UTF-8 name, by bytes", () =>
  inTemp(async (dir) => {
    const odd = [
      "-dash",
      ":colon",
      "a b",
      "a\nb",
      "a\tb",
      'quo"te',
      "back\\slash",
      "ünï",
      "\u{1f600}",
      "\uffee",
      "*",
      "[x]",
      "\ufeffbom",
    ];
    await makeRepository(
      dir,
      Object.fromEntries([...odd, "dir/file", "dir.x"].map((name) => [name, `<${name}>`])),
    );
    await write(dir, { "run.sh": "#!/bin/sh\n" });
    await Deno.chmod(`${dir}/run.sh`, 0o755);
    await Deno.symlink("dir/file", `${dir}/link`);
    await Deno.symlink("/nowhere/at all", `${dir}/dangling`);
    const head = await commit(dir);

    const repository = await open(dir);
    const tree = await repository.tree();
    assert.equal(tree.commit, head);
    assert.equal(tree.treeId, await git(dir, "rev-parse", "HEAD^{tree}"));
    const encoder = new TextEncoder();
    const bytes = (text: string) =>
      [...encoder.encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("");
    assert.deepEqual(
      tree.files.map((f) => f.path),
      [...odd, "dir/file", "dir.x", "run.sh", "link", "dangling"].sort((a, b) =>
        bytes(a) < bytes(b) ? -1 : 1
      ),
    );
    const modes = Object.fromEntries(tree.files.map((f) => [f.path, f.mode]));
    assert.equal(modes["run.sh"], "100755");
    assert.equal(modes["link"], "120000");
    assert.equal(modes["a b"], "100644");
    const read = await contents(repository);
    for (const name of odd) assert.equal(read[name], `<${name}>`);
    assert.equal(read["dangling"], "/nowhere/at all");
  }));

Deno.test("tree() takes the files that git was asked for before, if they are those of the commit", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "file": "1", "part/file": "2" });
    const head = await git(dir, "rev-parse", "HEAD");
    const treeId = await git(dir, "rev-parse", "HEAD^{tree}");
    const other = "0".repeat(40);
    const listing = (commit: string) => [`${commit} ${treeId}`, `100755 blob ${other}\tasked`, ""].join("\0");
    const memo = memoryMemo();
    const asked = await plainTree(await open(dir, { listing: listing(head), memo }));
    assert.deepEqual(asked, {
      commit: head,
      treeId,
      files: [{ path: "asked", mode: "100755", oid: other, repo: "" }],
      submodules: [],
      gaps: [],
    });
    assert.deepEqual(await list(await open(dir, { memo })), ["100755 asked"]);
    for (const text of [listing(other), "", "\0", `${head} ${treeId}`]) {
      assert.deepEqual(await list(await open(dir, { listing: text })), ["100644 file", "100644 part/file"]);
    }
    assert.deepEqual(await list(await open(`${dir}/part`, { listing: listing(head) })), ["100644 file"]);
  }));

Deno.test("treeOf() gives the tree of the commit, of a part of a repository too, and takes what was read before", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "top": "1", "part/file": "2" });
    const head = await git(dir, "rev-parse", "HEAD");
    const whole = await git(dir, "rev-parse", "HEAD^{tree}");
    assert.equal(await treeOf(await open(dir), head), whole);
    assert.equal(await treeOf(await open(`${dir}/part`), head), whole);

    const memo = memoryMemo();
    await (await open(`${dir}/part`, { memo })).tree();
    assert.equal(await recallTreeId(memo, head), undefined, "a part is not the whole");
    await (await open(dir, { memo })).tree();
    assert.equal(await recallTreeId(memo, head), whole);
  }));

Deno.test("tree() of a project in a subdirectory sees that directory only", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, {
      "top": "1",
      "services/a b/x/f": "2",
      "services/a b/g": "3",
      "services/a bc/h": "4",
    });
    const project = `${dir}/services/a b`;
    const repository = await open(project);
    assert.deepEqual(await list(repository), ["100644 g", "100644 x/f"]);
    assert.equal((await repository.tree()).treeId, await git(dir, "rev-parse", "HEAD:services/a b"));
    await write(dir, {
      "top": "changed",
      "services/a b/g": "changed",
      "services/a b/new/n": "",
      "services/a bc/h": "x",
    });
    const { uncommitted } = await (await open(project)).head();
    assert.deepEqual(uncommitted, [{ path: "g", state: "modified" }, { path: "new/", state: "untracked" }]);

    await Deno.symlink(project, `${dir}/through-link`);
    assert.deepEqual(await list(await open(`${dir}/through-link`)), ["100644 g", "100644 x/f"]);

    await Deno.mkdir(`${dir}/never committed`);
    await assert.rejects((await open(`${dir}/never committed`)).tree(), {
      code: "GIT_FAILED",
      message: /"never committed": commit [0-9a-f]{12} does not have it/,
    });
  }));

Deno.test("head() names commit, branch and what is not committed", () =>
  inTemp(async (dir) => {
    const files = { "mod": "1", "del": "1", "rm": "1", "old name": "long enough to be seen as a rename\n" };
    await makeRepository(dir, { ...files, ".gitignore": "ignored\n" });
    await git(dir, "checkout", "--quiet", "-b", "feature/x");
    assert.deepEqual(await (await open(dir)).head(), {
      commit: await git(dir, "rev-parse", "HEAD"),
      branch: "feature/x",
      uncommitted: [],
    });
    await write(dir, { "mod": "2", "del": null, "ignored": "", "new": "", "dir/new": "", "staged": "s" });
    await git(dir, "rm", "--quiet", "rm");
    await git(dir, "mv", "old name", "new name");
    await git(dir, "add", "staged");
    await git(dir, "checkout", "--quiet", "--detach");
    const head = await (await open(dir)).head();
    assert.equal(head.branch, undefined);
    assert.deepEqual(head.uncommitted.map((u) => `${u.state} ${u.path}`).sort(), [
      "added new name",
      "added staged",
      "deleted del",
      "deleted old name",
      "deleted rm",
      "modified mod",
      "untracked dir/",
      "untracked new",
    ]);
  }));

Deno.test("openLocal() finds no repository, and an empty one", () =>
  inTemp(async (dir) => {
    const env = Deno.env.toObject();
    const options = { dev: false, env, memo: memoryMemo(), scratch: () => Promise.resolve(dir) };
    await write(dir, { "plain/.git/note": "not a repository" });
    assert.equal(await openLocal(`${dir}/plain`, options), undefined);

    await makeRepository(dir, { "outer": "1" });
    await write(dir, { "moved/.git": "gitdir: ../nowhere/.git/worktrees/moved\n" });
    await assert.rejects(openLocal(`${dir}/moved`, options), {
      code: "GIT_FAILED",
      message: /nowhere.*which is not there/,
    });

    const repository = await open(await makeRepository(`${dir}/empty`));
    assert.equal((await repository.head()).commit, undefined);
    await assert.rejects(repository.tree(), (error: Error & { fix: string }) => {
      assert.match(error.message, /has no commits yet$/);
      assert.match(error.fix, /--dev/);
      return true;
    });
  }));

Deno.test("equal commits have equal listings and contents in every kind of clone", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1\n", "d/b": "2\n", "run": "x" });
    await Deno.chmod(`${origin}/run`, 0o755);
    const head = await commit(origin, { "a": "3\n" }, "second");
    const expected = await plainTree(await open(origin));

    const clone = async (name: string, ...args: string[]) => {
      await git(dir, "clone", "--quiet", ...args, `file://${origin}`, `${dir}/${name}`);
      return `${dir}/${name}`;
    };
    const shallow = await clone("shallow", "--depth=1");
    const packed = await clone("packed");
    await git(packed, "gc", "--quiet", "--aggressive");
    const deep = await clone("deep/er/path with space");
    await Deno.chmod(`${deep}/a`, 0o600);
    const worktree = `${dir}/worktree`;
    await git(packed, "worktree", "add", "--quiet", "--detach", worktree, head);
    const crlf = await clone("crlf", "--config", "core.autocrlf=true");
    await git(crlf, "checkout", "HEAD", "--", ".");
    const blobless = await clone("blobless", "--filter=blob:none", "--config", "core.symlinks=false");
    const detached = await clone("detached");
    await git(detached, "checkout", "--quiet", "--detach");
    for (const place of [shallow, packed, deep, worktree, crlf, blobless, detached]) {
      const repository = await open(place);
      assert.deepEqual(await plainTree(repository), expected, place);
      assert.deepEqual(await contents(repository), { "a": "3\n", "d/b": "2\n", "run": "x" }, place);
      assert.equal(await repository.stateId(), await (await open(origin)).stateId());
    }
  }));

Deno.test("attributes and filters change nothing", () =>
  inTemp(async (dir) => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0".repeat(64) +
      "\nsize 12345\n";
    await makeRepository(dir, {
      ".gitattributes": [
        "secret export-ignore",
        "subst export-subst",
        "crlf eol=crlf text",
        "ident ident",
        "large filter=lfs diff=lfs merge=lfs -text",
        "wide working-tree-encoding=UTF-16",
      ].join("\n") + "\n",
    });
    await write(dir, {
      "secret": "s",
      "subst": "$Format:%H$",
      "crlf": "a\nb\n",
      "ident": "$Id$",
      "large": pointer,
    });
    await commit(dir);
    await git(dir, "config", "filter.lfs.clean", "exit 1");
    await git(dir, "config", "filter.lfs.smudge", "exit 1");
    await Deno.utime(`${dir}/large`, 1, 1);
    await git(dir, "config", "filter.lfs.required", "true");
    const repository = await open(dir);
    const { ".gitattributes": _, ...rest } = await contents(repository);
    assert.deepEqual(rest, {
      "crlf": "a\nb\n",
      "ident": "$Id$",
      "large": pointer,
      "secret": "s",
      "subst": "$Format:%H$",
    });
  }));

Deno.test("sha256 repositories are read", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1", "d/b": "2" }, "--object-format=sha256");
    const repository = await open(dir);
    assert.equal((await repository.tree()).files[0]?.oid.length, 64);
    assert.deepEqual(await contents(repository), { "a": "1", "d/b": "2" });
  }));

Deno.test("a file name that is not UTF-8 is an error that shows it", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1" });
    const oid = await git(dir, "rev-parse", "HEAD:a");
    await new Deno.Command("sh", {
      args: ["-c", `printf '100644 ${oid}\\tb/caf\\351.txt\\0' | git update-index -z --index-info`],
      cwd: dir,
    }).output();
    await git(dir, "commit", "--quiet", "--message", "latin");
    await assert.rejects((await open(dir)).tree(), {
      code: "GIT_FAILED",
      message: /"b\/caf\\xe9\.txt" is not UTF-8/,
    });
  }));

Deno.test("a replaced commit is not followed", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1" });
    const [first, second] = [await git(dir, "rev-parse", "HEAD"), await commit(dir, { "a": "2" })];
    await git(dir, "replace", second, first);
    assert.deepEqual(await contents(await open(dir)), { "a": "2" });
  }));

Deno.test("tree() comes from the memo when the commit is known, and survives a broken one", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a b": "1", "d/\n": "2" });
    const memo = memoryMemo();
    const repository = await open(dir, { memo });
    const first = await plainTree(repository);
    assert.equal(memo.hits, 0);
    assert.equal(JSON.stringify((await repository.tree()).files), JSON.stringify(first.files));
    assert.deepEqual(await plainTree(await open(dir, { memo })), first);
    assert.equal(memo.hits, 1);
    for (const broken of ["null", "7", "{}", '{"v":1}', '"text"']) {
      for (const key of memo.values.keys()) memo.values.set(key, broken);
      assert.deepEqual(await plainTree(await open(dir, { memo })), first);
    }
  }));

Deno.test("originUrl() and the repository's name need the config file only", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1" });
    assert.equal(await (await open(dir)).originUrl(), undefined);
    await git(dir, "remote", "add", "origin", "ssh://git@example.com:22/group/shop.git");
    await git(dir, "worktree", "add", "--quiet", "--detach", `${dir}/wt`);
    for (const place of [dir, `${dir}/wt`]) {
      assert.equal(await (await open(place)).originUrl(), "ssh://git@example.com:22/group/shop.git");
    }
  }));
