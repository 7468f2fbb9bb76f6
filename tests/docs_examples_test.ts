/**
 * Examples of the documentation that say so are run, in one shell for each page and in its order: a block `LANGUAGE
 * file=PATH` is a file, `sh run` must succeed, `sh run fails` must not, and each line of `text said` was printed by the
 * block before (`…` is any text). Base images of Docker Hub are replaced by a local one, for lack of a network; npm has
 * nothing to install, since this checkout's dapp is there (tests/release has the packages).
 */
import assert from "node:assert/strict";
import { allTexts, type Block } from "./docs/blocks.ts";
import { busyboxBase } from "./support/bases.ts";
import { withTempDir } from "./support/tmp.ts";

const root = new URL("../", import.meta.url).pathname;
const IMPORTS = {
  "@dapp/dapp": "mod.ts",
  "@dapp/dapp/plugin": "plugin.ts",
  "@dapp/dapp/testing": "testing/mod.ts",
};

const pages = (await allTexts()).map(({ file, blocks }) => ({
  file,
  blocks: blocks.filter(({ info }) => /^sh run\b|\bfile=|^text said$/.test(info)),
})).filter(({ blocks }) => blocks.length > 0);

/** One script of a page: files are written where the shell is at that moment. */
function scriptOf(blocks: readonly Block[], base: string): string {
  const parts = blocks.map(({ info, text, line }, i) => {
    const said = `>"$SAID/${i}" 2>&1`;
    const trap = `trap 'echo "the block at line ${line} failed" >&2; cat "$SAID/${i}" >&2' ERR`;
    const [, file] = /\bfile=(\S+)$/.exec(info) ?? [];
    if (file !== undefined) {
      const end = `END_OF_FILE_${i}`;
      const local = text.replaceAll(/^(\s*from:) busybox:\S+$/gm, `$1 oci:${base}:latest`);
      return `${trap}\nmkdir -p "$(dirname "${file}")"\ncat > "${file}" <<'${end}'\n${local}${end}\n`;
    }
    if (info === "sh run") return `${trap}\n{\n${text}} ${said}\n`;
    if (info === "sh run fails") {
      return `trap - ERR\nif (\n${text}) ${said}; then echo "the block at line ${line} did not fail" >&2; exit 1; fi\n`;
    }
    return "";
  });
  return `set -eE -o pipefail\n${parts.join("")}`;
}

/** Programs that the pages start and a machine has that follows them. */
async function writePrograms(dir: string): Promise<void> {
  const programs = {
    dapp: `exec "${Deno.execPath()}" run -A --no-check "${root}cli.ts" "$@"`,
    // Types of all examples are checked with the package, at once.
    deno: `verb=$1 && shift && exec "${Deno.execPath()}" "$verb" --no-check "$@"`,
    npm: "",
    npx: 'exec "$@"',
  };
  await Deno.mkdir(dir);
  for (const [name, text] of Object.entries(programs)) {
    await Deno.writeTextFile(`${dir}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}

for (const { file, blocks } of pages) {
  Deno.test(`${file} can be copied and run`, async () => {
    await withTempDir(async (dir) => {
      await writePrograms(`${dir}/bin`);
      await Deno.mkdir(`${dir}/said`);
      const { imports } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
      const own = Object.entries(IMPORTS).map(([name, path]) => [name, `${root}${path}`]);
      await Deno.writeTextFile(
        `${dir}/deno.json`,
        JSON.stringify({ imports: { ...imports, ...Object.fromEntries(own) } }),
      );
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", scriptOf(blocks, await busyboxBase())],
        cwd: dir,
        env: {
          PATH: `${dir}/bin:${Deno.env.get("PATH")}`,
          SAID: `${dir}/said`,
          DAPP_HOME: `${dir}/home`,
          GIT_CONFIG_GLOBAL: "/dev/null",
          GIT_CONFIG_SYSTEM: "/dev/null",
        },
        stdout: "piped",
        stderr: "piped",
      }).output();
      const decoder = new TextDecoder();
      assert.equal(code, 0, `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`);
      for (const [i, { info, text, line }] of blocks.entries()) {
        if (info !== "text said") continue;
        const said = await Deno.readTextFile(`${dir}/said/${i - 1}`);
        for (const wanted of text.trimEnd().split("\n")) {
          const pattern = wanted.split("…").map(RegExp.escape).join(".*");
          assert.match(said, new RegExp(`^${pattern}$`, "m"), `${file}:${line}: "${wanted}" was not said`);
        }
      }
    });
  });
}

Deno.test("there are pages with examples that run", () =>
  assert.deepEqual(pages.map(({ file }) => file), [
    "docs/bases.md",
    "docs/cleanup-plugin.md",
    "docs/embedding.md",
    "docs/migration.md",
    "docs/monorepo.md",
    "docs/other-ci.md",
    "docs/secrets.md",
    "docs/tag-plugin.md",
    "docs/troubleshooting.md",
    "docs/tutorial.md",
  ]));
