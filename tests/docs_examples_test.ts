/**
 * Examples of the documentation that say so are run: a block `sh run` in a shell, in the order of its page; a block
 * `LANGUAGE file=PATH` is a file. Base images of Docker Hub are replaced by a local one, for lack of a network.
 */
import assert from "node:assert/strict";
import { busyboxBase } from "./support/bases.ts";
import { withTempDir } from "./support/tmp.ts";

const root = new URL("../", import.meta.url);

interface Block {
  readonly info: string;
  readonly text: string;
  readonly line: number;
}

/** The fenced blocks of a page that are more than text. */
function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of page.split("\n").entries()) {
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (open) {
      blocks.push({ info: open.info, line: open.line, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else open = { info: line.slice(3), line: i + 1, lines: [] };
  }
  return blocks.filter(({ info }) => /\brun$|\bfile=/.test(info));
}

/** One script of a page: files are written where the shell is at that moment. */
function scriptOf(blocks: readonly Block[], base: string): string {
  const parts = blocks.map(({ info, text, line }, i) => {
    const [, file] = /\bfile=(\S+)$/.exec(info) ?? [];
    const where = `trap 'echo "the block at line ${line} failed" >&2' ERR`;
    if (file === undefined) return `${where}\n${text}`;
    const end = `END_OF_FILE_${i}`;
    const local = text.replaceAll(/^(\s*from:) busybox:\S+$/gm, `$1 oci:${base}:latest`);
    return `${where}\nmkdir -p "$(dirname "${file}")"\ncat > "${file}" <<'${end}'\n${local}${end}\n`;
  });
  return `set -eE -o pipefail\n${parts.join("")}`;
}

const pages: string[] = [];
for await (const { name } of Deno.readDir(new URL("docs", root))) {
  if (!name.endsWith(".md")) continue;
  if (blocksOf(await Deno.readTextFile(new URL(`docs/${name}`, root))).length > 0) pages.push(name);
}

for (const name of pages.sort()) {
  Deno.test(`docs/${name} can be copied and run`, async () => {
    const blocks = blocksOf(await Deno.readTextFile(new URL(`docs/${name}`, root)));
    await withTempDir(async (dir) => {
      await Deno.mkdir(`${dir}/bin`);
      const dapp = `#!/bin/sh\nexec "${Deno.execPath()}" run -A --no-check "${
        new URL("cli.ts", root).pathname
      }" "$@"\n`;
      await Deno.writeTextFile(`${dir}/bin/dapp`, dapp, { mode: 0o755 });
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", scriptOf(blocks, await busyboxBase())],
        cwd: dir,
        env: {
          PATH: `${dir}/bin:${Deno.env.get("PATH")}`,
          DAPP_HOME: `${dir}/home`,
          GIT_CONFIG_GLOBAL: "/dev/null",
          GIT_CONFIG_SYSTEM: "/dev/null",
        },
        stdout: "piped",
        stderr: "piped",
      }).output();
      const decoder = new TextDecoder();
      const said = `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`;
      assert.equal(code, 0, said);
      if (name === "tutorial.md") {
        assert.match(said, /<h1>Hello, shop<\/h1>[\s\S]*<h1>Hello, bookshop<\/h1>/);
      }
    });
  });
}

Deno.test("there are pages with examples that run", () =>
  assert.deepEqual(pages, ["monorepo.md", "secrets.md", "tag-plugin.md", "tutorial.md"]));
