/** The installed program starts `git status` beside Deno: that is seen in what is started, and in nothing else. */
import assert from "node:assert/strict";
import type { RunResult } from "../support/process.ts";
import type { Stranger } from "../support/packages.ts";
import { writeFiles } from "../support/project.ts";
import { commit } from "./new_plugins.ts";

/** Writes down what git is asked, and fails when it is asked the first time where that is wanted. */
const GIT = `#!/bin/sh
echo "$*" >>"$ASKED"
[ "$FAIL_ONCE" ] && rm "$FAIL_ONCE" 2>/dev/null && exit 1
PATH=\${PATH#*:} exec git "$@"
`;

export async function tryGitBeside(t: Deno.TestContext, { dir, run }: Stranger): Promise<void> {
  await writeFiles(dir, {
    "beside/dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n",
    "beside/a.txt": "a",
    "beside/below/dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n",
    "bin/git": GIT,
  });
  await Deno.chmod(`${dir}/bin/git`, 0o755);
  await commit(`${dir}/beside`);
  await Deno.writeTextFile(`${dir}/beside/a.txt`, "changed");
  await Deno.mkdir(`${dir}/tmp`);

  /** Builds, and tells what git was asked meanwhile. */
  const build = async (
    words: readonly string[],
    cwd: string,
    env: Record<string, string> = {},
  ): Promise<RunResult & { readonly status: number; readonly lists: number }> => {
    await Deno.writeTextFile(`${dir}/asked`, "");
    const result = await run(
      [
        "sh",
        "-c",
        'PATH=$1:$PATH; shift; exec "$@"',
        "sh",
        `${dir}/bin`,
        `${dir}/node_modules/.bin/dapp`,
        ...words,
      ],
      { cwd, env: { ASKED: `${dir}/asked`, TMPDIR: `${dir}/tmp`, ...env } },
    );
    const left = (await Array.fromAsync(Deno.readDir(`${dir}/tmp`))).map(({ name }) => name);
    assert.deepEqual(left.filter((name) => name.endsWith("-git")), []);
    const asked = await Deno.readTextFile(`${dir}/asked`);
    const times = (word: string) => asked.split("\n").filter((line) => line.includes(` ${word} `)).length;
    return { ...result, status: times("status"), lists: times("ls-tree") };
  };
  const NOTE = /uncommitted changes are not included: a\.txt/;
  const first = await build(["dimg", "build"], `${dir}/beside`);

  await t.step("git is asked once, whatever way the project is named", async () => {
    assert.deepEqual([first.status, NOTE.test(first.stderr)], [1, true]);
    const ways: readonly (readonly [string, ...string[]])[] = [
      [`${dir}/beside`],
      [dir, "--dir", "beside"],
      [dir, "--dir=./beside/"],
      [dir, `--dir=${dir}/beside`],
      [`${dir}/beside/below`, "-C", ".."],
      [dir, "--dir=nowhere", "--dir=beside"],
    ];
    for (const [cwd, ...words] of ways) {
      const { stdout, stderr, status } = await build(["dimg", "build", ...words], cwd);
      assert.deepEqual([words, stdout, status, NOTE.test(stderr)], [words, first.stdout, 1, true]);
    }
  });

  await t.step("also where a CI system tells of git in variables of its own", async () => {
    const ci = {
      GIT_COMMIT: "0".repeat(40),
      GIT_BRANCH: "main",
      GIT_STRATEGY: "none",
      GIT_SUBMODULE_DEPTH: "1",
      GIT_PAGER: "less",
    };
    const { stdout, status } = await build(["dimg", "build"], `${dir}/beside`, ci);
    assert.deepEqual([stdout, status], [first.stdout, 1]);
  });

  await t.step("a store that takes stages is told of the commit's files as well", async () => {
    const repo = `oci:${dir}/layout`;
    await build(["dimg", "stages", "push", repo], `${dir}/beside`);
    const pull = (words: readonly string[], env?: Record<string, string>) =>
      build(["dimg", "stages", "pull", repo, ...words], `${dir}/beside`, env);
    for (const home of ["one", "one", "two"]) {
      const { stdout, status, lists } = await pull(["--home", `${dir}/${home}`]);
      assert.deepEqual([/^(pulled|exists) /m.test(stdout), status, lists], [true, 1, 1]);
    }
    await Deno.writeTextFile(`${dir}/once`, "");
    const failed = await pull(["--home", `${dir}/three`], { FAIL_ONCE: `${dir}/once` });
    assert.deepEqual([/^pulled /m.test(failed.stdout), failed.status, failed.lists], [true, 1, 1]);
  });

  await t.step("a project below the top of its repository is asked about as before", async () => {
    const { status, stderr } = await build(["dimg", "build"], `${dir}/beside/below`);
    assert.deepEqual([status, NOTE.test(stderr)], [1, false]);
  });

  await t.step(
    "where its environment would lead git elsewhere, or it failed, git is asked again",
    async () => {
      const led = await build(["dimg", "build"], `${dir}/beside`, { GIT_INDEX_FILE: `${dir}/none` });
      assert.deepEqual([led.stdout, led.status, NOTE.test(led.stderr)], [first.stdout, 2, true]);
      await Deno.writeTextFile(`${dir}/once`, "");
      const failed = await build(["dimg", "build"], `${dir}/beside`, { FAIL_ONCE: `${dir}/once` });
      assert.deepEqual([failed.stdout, failed.status, NOTE.test(failed.stderr)], [first.stdout, 2, true]);
    },
  );

  await t.step(
    "what strangers configure is not asked, nor is a place of somebody else's written to",
    async () => {
      const git = (...words: string[]) => run(["git", "-C", `${dir}/beside`, ...words]);
      await git("config", "filter.x.clean", `touch ${dir}/ran; cat`);
      await Deno.writeTextFile(`${dir}/beside/.git/info/attributes`, "* filter=x\n");
      await Deno.utime(`${dir}/beside/below/dappfile.yaml`, 1, 1);
      const strange = await build(["dimg", "build", "--untrusted"], `${dir}/beside`);
      assert.deepEqual([strange.stdout, strange.status], [first.stdout, 1]);
      await assert.rejects(Deno.stat(`${dir}/ran`), Deno.errors.NotFound);
      await Deno.remove(`${dir}/beside/.git/info/attributes`);

      const { stdout } = await run(
        [
          "sh",
          "-c",
          'mkfifo "$TMPDIR/dapp-$$-git"; exec "$@"',
          "sh",
          `${dir}/node_modules/.bin/dapp`,
          "dimg",
          "build",
        ],
        { cwd: `${dir}/beside`, env: { TMPDIR: `${dir}/tmp` } },
      );
      assert.equal(stdout, first.stdout);
      for await (const { name } of Deno.readDir(`${dir}/tmp`)) await Deno.remove(`${dir}/tmp/${name}`);
    },
  );

  await t.step("what is not the engine's question is not answered by it", async () => {
    const dev = await build(["dimg", "build", "--dev"], `${dir}/beside`);
    assert.notEqual(dev.stdout, first.stdout);
    assert.equal(dev.status, 1);
    const help = await run([`${dir}/node_modules/.bin/dapp`, "dimg", "build", "--help"], {
      cwd: `${dir}/beside`,
    });
    assert.match(help.stdout, /dapp dimg build/);
    const full = await build(["dimg", "build"], `${dir}/beside`, { TMPDIR: `${dir}/nowhere` });
    assert.equal(full.stdout, first.stdout);
  });
}
