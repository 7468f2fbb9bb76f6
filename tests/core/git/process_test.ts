import assert from "node:assert/strict";
import { redact, shellWord } from "../../../core/git/failure.ts";
import { compareBytes } from "../../../core/git/listing.ts";
import { gitEnv, runGit, runGitRows } from "../../../core/git/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { contents, git, inTemp, makeRepository, memoryMemo, open, plainTree } from "./fixture.ts";

const printTree = new URL("print_tree.ts", import.meta.url).pathname;

/** Runs `print_tree.ts` in a process with another environment. */
async function inProcess(args: readonly string[], env: Record<string, string>, umask = "022") {
  const { stdout, stderr, code } = await new Deno.Command("/bin/sh", {
    args: ["-c", `umask ${umask}; exec "$@"`, "sh", Deno.execPath(), "run", "-A", printTree, ...args],
    env,
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("a run without changes starts one git process", () =>
  inTemp(async (dir) => {
    await makeRepository(`${dir}/repo`, { "a": "1", "d/b": "2" });
    await git(`${dir}/repo`, "remote", "add", "origin", "https://example.com/shop.git");
    const real = await new Deno.Command("sh", { args: ["-c", "command -v git"] }).output();
    await Deno.mkdir(`${dir}/bin`);
    const script = `#!/bin/sh\necho "$@" >> '${dir}/log'\nexec ${
      new TextDecoder().decode(real.stdout).trim()
    } "$@"\n`;
    await Deno.writeTextFile(`${dir}/bin/git`, script, { mode: 0o755 });
    const memo = memoryMemo();
    await (await open(`${dir}/repo`, { memo })).tree();
    await Deno.writeTextFile(`${dir}/memo.json`, JSON.stringify([...memo.values]));
    const program = `
      import { openLocal } from "${new URL("../../../core/git/repository.ts", import.meta.url)}";
      const values = new Map(JSON.parse(Deno.readTextFileSync("${dir}/memo.json")));
      const memo = {
        get: (kind, key) => Promise.resolve(JSON.parse(values.get(kind + "/" + key) ?? "null")),
        put: () => { throw new Error("nothing new expected"); },
      };
      const repository = await openLocal("${dir}/repo", { dev: false, env: Deno.env.toObject(), memo, scratch: () => Promise.reject() });
      const { commit, branch, uncommitted } = await repository.head();
      const { files } = await repository.tree();
      const seen = [branch, commit.length, uncommitted.length, files.length, await repository.originUrl()];
      Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify([...seen, (await repository.stateId()).length])));
    `;
    await Deno.writeTextFile(`${dir}/program.ts`, program);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", `${dir}/program.ts`],
      env: { PATH: `${dir}/bin:${Deno.env.get("PATH")}` },
    }).output();
    const seen = new TextDecoder().decode(stdout);
    assert.equal(seen, '["main",40,0,2,"https://example.com/shop.git",41]', new TextDecoder().decode(stderr));
    const calls = (await Deno.readTextFile(`${dir}/log`)).trim().split("\n");
    assert.equal(calls.length, 1, calls.join("\n"));
    assert.match(calls[0]!, / status --porcelain=v2 /);
  }));

Deno.test("environment, umask and locale change nothing", () =>
  inTemp(async (dir) => {
    const one = await makeRepository(`${dir}/one`, { "a": "1", "sub/ü": "2" });
    const other = await makeRepository(`${dir}/other`, { "wrong": "1" });
    await git(dir, "clone", "--quiet", one, "two");
    const plain = await inProcess(["local", one], {});
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(plain.stdout, /\na\nsub\/ü\ncontent of sub\/ü: 2\n$/);
    const redirected = {
      GIT_DIR: `${other}/.git`,
      GIT_WORK_TREE: other,
      GIT_INDEX_FILE: `${other}/.git/index`,
      GIT_OBJECT_DIRECTORY: `${other}/.git/objects`,
      GIT_COMMON_DIR: `${other}/.git`,
      GIT_NAMESPACE: "x",
      GIT_PREFIX: "x/",
      GIT_CEILING_DIRECTORIES: dir,
      GIT_GLOB_PATHSPECS: "1",
      GIT_DEFAULT_HASH: "sha256",
    };
    assert.deepEqual(await inProcess(["local", one], redirected), plain);
    const elsewhere = { LC_ALL: "de_DE.UTF-8", LANGUAGE: "de", LANG: "tr_TR", TZ: "Asia/Tokyo" };
    assert.deepEqual(await inProcess(["local", `${dir}/two`], elsewhere, "077"), plain);
  }));

Deno.test("gitEnv() keeps what people configure and drops what redirects", () => {
  const env = gitEnv({
    PATH: "/bin",
    GIT_DIR: "/x",
    GIT_CONFIG: "/x",
    GIT_CONFIG_COUNT: "1",
    GIT_SSH_COMMAND: "ssh -v",
    GIT_SSL_NO_VERIFY: "1",
    GIT_PROXY_COMMAND: "p",
    https_proxy: "http://proxy",
    SSH_AUTH_SOCK: "/s",
    LC_ALL: "tr_TR",
  }, { EXTRA: "1" });
  const kept = [
    "PATH",
    "GIT_CONFIG_COUNT",
    "GIT_SSH_COMMAND",
    "GIT_SSL_NO_VERIFY",
    "GIT_PROXY_COMMAND",
    "https_proxy",
    "SSH_AUTH_SOCK",
    "EXTRA",
  ];
  for (const key of kept) assert(env[key], key);
  for (const key of ["GIT_DIR", "GIT_CONFIG"]) assert.equal(env[key], undefined, key);
  assert.deepEqual([env["LC_ALL"], env["GIT_OPTIONAL_LOCKS"], env["GIT_TERMINAL_PROMPT"]], ["C", "0", "0"]);
});

Deno.test("git that is missing or too old is said so", () =>
  inTemp(async (dir) => {
    const repo = await makeRepository(`${dir}/repo`, { "a": "1" });
    await Deno.mkdir(`${dir}/empty`);
    const missing = await inProcess(["local", repo], { PATH: `${dir}/empty` });
    assert.match(missing.stdout, /Cannot run git: it is not in PATH, git 2\.20 or newer is needed/);
    await Deno.mkdir(`${dir}/old`);
    const script =
      `#!/bin/sh\ncase "$*" in --version|*' --version') echo git version 1.7.1;; *) echo "error: unknown option" >&2; exit 129;; esac\n`;
    await Deno.writeTextFile(`${dir}/old/git`, script, { mode: 0o755 });
    const old = await inProcess(["local", repo], { PATH: `${dir}/old:${Deno.env.get("PATH")}` });
    assert.match(old.stdout, /"git version 1\.7\.1" is too old, git 2\.20 or newer is needed/);
  }));

Deno.test("a repository of another user is refused with what to do", async () => {
  if (Deno.uid() !== 0) return; // only root can give files away
  await inTemp(async (dir) => {
    const repo = await makeRepository(`${dir}/it's mine`, { "a": "1" });
    for (const path of [repo, `${repo}/.git`]) await Deno.chown(path, 12345, 12345);
    const env = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
    const [code, message, fix] = (await inProcess(["local", repo], env)).stdout.split("\n");
    assert.equal(code, "GIT_FAILED");
    assert.match(message!, /belongs to another user/);
    assert.match(fix!, /git config --global --add safe\.directory '.*it'\\''s mine/);
  });
});

Deno.test("a damaged repository is not replaced by one above", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1" });
    const inner = await makeRepository(`${dir}/inner`, { "b": "1" });
    await Deno.remove(`${inner}/.git/objects`, { recursive: true });
    await assert.rejects((await open(inner)).tree(), { code: "GIT_FAILED" });
  }));

Deno.test("20,000 files are listed and read back from the memo", () =>
  inTemp(async (dir) => {
    await makeRepository(dir);
    let stream = "blob\nmark :1\ndata 1\nx\ncommit refs/heads/main\ncommitter A <a@b> 0 +0000\ndata 0\n";
    for (let i = 0; i < 20_000; i++) stream += `M 100644 :1 d${i % 100}/e${i % 7}/file ${i}\n`;
    const child = new Deno.Command("git", { args: ["fast-import", "--quiet"], cwd: dir, stdin: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stream));
    await writer.close();
    assert((await child.status).success);
    const memo = memoryMemo();
    const tree = await plainTree(await open(dir, { memo }));
    assert.equal(tree.files.length, 20_000);
    assert(tree.files.every((f, i) => i === 0 || compareBytes(tree.files[i - 1]!.path, f.path) < 0));
    assert.deepEqual(await plainTree(await open(dir, { memo })), tree);
    assert.equal(
      Object.keys(await contents(await open(dir, { memo }), tree.files.slice(0, 3000))).length,
      3000,
    );
  }));

Deno.test("redact() hides credentials, shellWord() quotes", () => {
  assert.equal(redact("at https://ann:pw@h/x and https://tok@h/y"), "at https://***@h/x and https://***@h/y");
  assert.equal(redact("ssh://git@h/x git@h:x"), "ssh://git@h/x git@h:x");
  assert.equal(redact("ssh://ann:pw@h/x"), "ssh://ann:***@h/x");
  assert.equal(shellWord("/a/b"), "/a/b");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
});

Deno.test("runGitRows() hands on whole rows, and throws what taking them throws", async () => {
  await withTempDir(async (dir) => {
    const env = gitEnv(Deno.env.toObject());
    await runGit(["-C", dir, "init", "-q"], { env });
    const names = Array.from({ length: 3000 }, (_, i) => `${i}-${"ä".repeat(i % 50)}`);
    for (const name of names) await Deno.writeTextFile(`${dir}/${name}`, "");
    const list = ["-C", dir, "ls-files", "-o", "-z"];
    let text = "";
    let pieces = 0;
    const done = await runGitRows(list, { env }, (rows) => {
      const piece = new TextDecoder("utf-8", { fatal: true }).decode(rows);
      assert.ok(piece.endsWith("\0"));
      text += piece;
      pieces++;
    });
    assert.equal(done.success, true);
    assert.ok(pieces > 1, `${pieces}`);
    assert.deepEqual(text.split("\0").slice(0, -1).sort(), names.toSorted());
    const failing = runGitRows(list, { env }, () => {
      throw new Error("enough");
    });
    await assert.rejects(failing, { message: "enough" });
    const bad = await runGitRows(["-C", dir, "ls-tree", "-z", "nothing"], { env }, () => {});
    assert.equal(bad.success, false);
    assert.match(bad.stderr, /nothing/);
  });
});

Deno.test("runGit() and runGitRows() keep no output without an end, and ends git for it", () =>
  inTemp(async (dir) => {
    await makeRepository(`${dir}/repo`, { a: "1" });
    const env = gitEnv(Deno.env.toObject());
    const id = await git(`${dir}/repo`, "rev-parse", "HEAD^{tree}");
    // Each tree holds the one below it ten times: ten thousand million files in ten objects.
    let tree = id.trim();
    for (let level = 0; level < 10; level++) {
      const rows = Array.from({ length: 10 }, (_, i) => `040000 tree ${tree}\td${i}\n`).join("");
      const output = await runGit(["-C", `${dir}/repo`, "mktree"], { env, stdin: rows });
      tree = new TextDecoder().decode(output.stdout).trim();
    }
    const args = ["-C", `${dir}/repo`, "ls-tree", "-r", tree];
    const refused = {
      code: "GIT_FAILED",
      message: 'Cannot use what "git ls-tree" says: it is longer than 1048576 bytes',
    };
    await assert.rejects(runGit(args, { env, limit: 1 << 20 }), refused);
    await assert.rejects(runGitRows([...args, "-z"], { env, limit: 1 << 20 }, () => {}), refused);
    assert.equal(
      (await runGit(["-C", `${dir}/repo`, "ls-tree", "-r", id.trim()], { env, limit: 100 })).success,
      true,
    );
  }));
