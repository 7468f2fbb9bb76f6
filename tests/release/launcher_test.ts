import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

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
      assert.equal(stdout, `600\nproject\0${mask}\nexit 0\0`);
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
