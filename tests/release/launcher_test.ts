import assert from "node:assert/strict";
import { run, type RunResult } from "../support/process.ts";
import { mountSmallFs } from "../support/small_fs.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";

const root = new URL("../../", import.meta.url).pathname;
/** What a helper of a dapp with such an environment has of the flags. */
const CHILD = `import { helperEnvironment } from "${root}plugins/builder/native/namespaces.ts";
console.log(helperEnvironment(Deno.env.toObject()).DENO_V8_FLAGS ?? "none");`;

Deno.test("the launcher gives V8 its flags before those of the user, and helpers have the same", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/bin`);
    await Deno.mkdir(`${dir}/node_modules/deno`, { recursive: true });
    await Deno.copyFile(`${root}release/dapp.sh`, `${dir}/bin/dapp`);
    const deno = `#!/bin/sh\nexec "${Deno.execPath()}" eval '${CHILD}'\n`;
    await Deno.writeTextFile(`${dir}/node_modules/deno/deno`, deno, { mode: 0o755 });

    const flags = async (env: Readonly<Record<string, string>>) =>
      (await run(["sh", `${dir}/bin/dapp`, "--version"], { env })).stdout.trim();
    const own = await flags({ DENO_V8_FLAGS: "" });
    assert.match(own, /^--[\w=-]+$/);
    assert.equal(await flags({ DENO_V8_FLAGS: "--max-lazy" }), `${own},--max-lazy`);
  });
});

Deno.test("the file for what git says is its owner's alone, and files of git's filters are as ever", async () => {
  await withTempDir(async (dir) => {
    for (const made of ["bin", "node_modules/deno", "programs", "project/.git", "tmp"]) {
      await Deno.mkdir(`${dir}/${made}`, { recursive: true });
    }
    await Deno.writeTextFile(
      `${dir}/bin/dapp`,
      (await Deno.readTextFile(`${root}release/dapp.sh`)).replace("GIT_ENVIRONMENT", ""),
    );
    const program = (path: string, text: string) =>
      Deno.writeTextFile(`${dir}/${path}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await program("programs/git", "umask");
    await program(
      "node_modules/deno/deno",
      'file=${4#*=}\nuntil grep -aq exit "$file"; do sleep 0.01; done\nstat -c %a "$file"; cat "$file"',
    );

    for (const mask of ["0022", "0002"]) {
      const { stdout } = await run(
        ["sh", "-c", `umask ${mask}; exec sh "$0" dimg build --dir project`, `${dir}/bin/dapp`],
        { cwd: dir, env: { PATH: `${dir}/programs:${Deno.env.get("PATH")}`, TMPDIR: `${dir}/tmp` } },
      );
      assert.match(stdout, new RegExp(`^600\nproject\0\\d+\0${mask}\nexit 0\0$`));
      await Deno.remove(`${dir}/tmp`, { recursive: true });
      await Deno.mkdir(`${dir}/tmp`);
    }
  });
});

Deno.test("where no file can be made git is not asked, whatever shell runs the launcher", async () => {
  await withTempDir(async (dir) => {
    for (const made of ["bin", "node_modules/deno", "project/.git"]) {
      await Deno.mkdir(`${dir}/${made}`, { recursive: true });
    }
    await Deno.copyFile(`${root}release/dapp.sh`, `${dir}/bin/dapp`);
    const deno = `#!/bin/sh\nshift 3\necho "$*"\n`;
    await Deno.writeTextFile(`${dir}/node_modules/deno/deno`, deno, { mode: 0o755 });
    const words = ["dimg", "build", "--dir", "project"];
    for (const shell of ["sh", "bash"] as const) {
      const { stdout } = await run([shell, `${dir}/bin/dapp`, ...words], {
        cwd: dir,
        env: { TMPDIR: `${dir}/nowhere` },
      });
      assert.deepEqual([shell, stdout], [shell, `${words.join(" ")}\n`]);
    }
  });
});

Deno.test({
  name: "what a disk cut that was full for a moment is not said",
  ignore: Deno.uid() !== 0, // mounts
  async fn(t) {
    // Nothing but two bytes of its last page is left to the file while the next words are written.
    const fill =
      'exec 3>&1; size=$(stat -Lc %s /dev/fd/3); head -c $((4096 - size - 2)) /dev/zero | tr "\\0" x; ' +
      'cat /dev/zero >"$TMPDIR/ballast" 2>/dev/null';
    const cases: readonly (readonly [cut: string, git: string, words: readonly string[]])[] = [
      ["listed", `*ls-tree*) ${fill} ;; *status*) rm "$TMPDIR/ballast"; echo all ;; *) echo id tree ;;`, [
        "stages",
        "pull",
      ]],
      ["exit", `*) ${fill} ;;`, ["build"]],
    ];
    for (const [cut, git, words] of cases) {
      await t.step(cut, async () => {
        await using tmp = await mountSmallFs({ bytes: 1 << 20, inodes: 64 });
        await withLauncher({
          git: `case "$*" in ${git} esac`,
          deno:
            'file=${4#*=}\nuntil grep -aq exit "$file" || [ ! -s "$file" ]; do sleep 0.01; done\ncat "$file"',
        }, async (start) => {
          const { stdout } = await start(["dimg", ...words, "--dir", "project"], { TMPDIR: tmp.path });
          assert.equal(stdout, "");
        });
      });
    }
  },
});

Deno.test("a dapp that is killed while git is asked leaves no file", async () => {
  await withLauncher({
    git: 'until [ -e "$TMPDIR/../ended" ]; do sleep 0.01; done',
    deno: "kill -KILL $$",
  }, async (start, dir) => {
    await start(["dimg", "build", "--dir", "project"], { TMPDIR: `${dir}/tmp` });
    const left = () => [...Deno.readDirSync(`${dir}/tmp`)].length;
    assert.equal(left(), 1);
    await Deno.writeTextFile(`${dir}/ended`, "");
    await until(() => left() === 0);
  });
});

Deno.test("what a dapp left that was killed before it took the file goes with the next one", async () => {
  await withLauncher({
    git: "",
    deno: 'until [ ! -e "$TMPDIR/dapp-$LEFT-git" ]; do sleep 0.01; done',
  }, async (start, dir) => {
    const killed = new Deno.Command("true").spawn();
    await killed.status;
    const kept = [`dapp-${Deno.pid}-git`, "dapp-1x-git", "dapp--git", "dapp-1-gitx"];
    for (const name of [`dapp-${killed.pid}-git`, ...kept]) {
      await Deno.writeTextFile(`${dir}/tmp/${name}`, "");
    }
    await start(["dimg", "build", "--dir", "project"], { TMPDIR: `${dir}/tmp`, LEFT: String(killed.pid) });
    const names = [...Deno.readDirSync(`${dir}/tmp`)].map(({ name }) => name);
    assert.deepEqual(kept.filter((name) => !names.includes(name)), []);
  });
});

/** Has the launcher in a directory where these scripts are git and Deno; `project` is a repository. */
async function withLauncher(
  scripts: { readonly git: string; readonly deno: string },
  work: (
    start: (words: readonly string[], env: Readonly<Record<string, string>>) => Promise<RunResult>,
    dir: string,
  ) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    for (const made of ["bin", "node_modules/deno", "programs", "project/.git", "tmp"]) {
      await Deno.mkdir(`${dir}/${made}`, { recursive: true });
    }
    const text = await Deno.readTextFile(`${root}release/dapp.sh`);
    const questions = {
      GIT_ENVIRONMENT: "",
      GIT_NAMING: "name",
      GIT_LISTING: "ls-tree",
      GIT_STATUS: "status",
    };
    await Deno.writeTextFile(
      `${dir}/bin/dapp`,
      Object.entries(questions).reduce((text, [name, words]) => text.replace(name, words), text),
    );
    const program = (path: string, text: string) =>
      Deno.writeTextFile(`${dir}/${path}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await program("programs/git", scripts.git);
    await program("node_modules/deno/deno", scripts.deno);
    await work((words, env) =>
      run(["sh", `${dir}/bin/dapp`, ...words], {
        cwd: dir,
        env: { PATH: `${dir}/programs:${Deno.env.get("PATH")}`, ...env },
        allowFailure: true,
      }), dir);
  });
}
