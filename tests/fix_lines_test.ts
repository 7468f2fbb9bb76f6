/** What messages tell people to do must be possible: the commands and options that they name exist. */
import assert from "node:assert/strict";
import { errorCatalog } from "../core/contract/errors.ts";
import { commandOptions, type CommandSpec } from "../cli/command.ts";
import { isOption } from "../cli/options.ts";
import { table } from "../cli/table.ts";

const root = new URL("../", import.meta.url).pathname;

/** A text of the program with where it stands. */
interface Text {
  readonly at: string;
  readonly text: string;
}

async function* sources(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) yield* sources(`${dir}/${name}`);
    else if (name.endsWith(".ts")) yield `${dir}/${name}`;
  }
}

/** Texts in quotes, without comments; of templates the parts between `${}`. */
function textsOf(source: string): readonly { readonly index: number; readonly text: string }[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, " "));
  return [...code.matchAll(/"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)].map((match) => ({
    index: match.index,
    text: (match[1] ?? match[2]!).replaceAll("\\`", "`"),
  }));
}

async function allTexts(): Promise<readonly Text[]> {
  const found: Text[] = [];
  for (const dir of ["core", "plugins", "cli", "lib"]) {
    for await (const path of sources(root + dir)) {
      const source = await Deno.readTextFile(path);
      for (const { index, text } of textsOf(source)) {
        const line = source.slice(0, index).split("\n").length;
        found.push({ at: `${path.slice(root.length)}:${line}`, text });
      }
    }
  }
  return found;
}

/** The longest command that a text names after "dapp", with what follows it up to the end of the sentence. */
function commandIn(words: string): { readonly command?: CommandSpec; readonly rest: string } {
  const parts = words.split(" ");
  for (let n = Math.min(4, parts.length); n > 0; n--) {
    const command = table.commands.find(({ path }) => path === parts.slice(0, n).join(" "));
    if (command) return { command, rest: parts.slice(n).join(" ") };
  }
  return { rest: "" };
}

const groups = new Set(table.groups.map(({ path }) => path));

Deno.test("every command that a message names exists, and takes the options it is named with", async () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const { at, text } of await allTexts()) {
    for (
      const match of text.matchAll(
        /\bdapp ((?:dimg|config|store|registry|slug|completion|help)\b[^,;.)"`]*)/g,
      )
    ) {
      const words = match[1]!.replace(/\$\{[^}]*\}?.*$/s, "").trim();
      if (words === "" || groups.has(words)) continue;
      seen++;
      const { command, rest } = commandIn(words);
      if (!command) {
        wrong.push(`${at}: no command "dapp ${words}"`);
        continue;
      }
      for (const [, name] of rest.matchAll(/--([a-z][a-z-]*)(?![\w@-])/g)) {
        const known = isOption(name!) && commandOptions(command).includes(name);
        if (!known) wrong.push(`${at}: "dapp ${command.path}" has no option "--${name}"`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 60, `${seen} commands were looked at`);
});

/** Options of other programs that advice names. */
const OTHERS =
  /\b(?:git|docker|skopeo|sysctl|usermod|unshare|Deno|clone|container|apt-get|ssh-keyscan|buildah|buildkitd|--cap-add|--privileged)\b/;

Deno.test("every option that advice names is one of dapp's, or of a program that it names", async () => {
  const wrong: string[] = [];
  const texts = (await allTexts()).filter(({ at }) =>
    !/^(?:lib|cli\/(?:docs|complete|former|table))/.test(at)
  );
  const advice = texts.filter(({ text }) => /^(?:[A-Z][a-z]+ |Run: )/.test(text));
  for (const { at, text } of advice) {
    for (const [, name] of text.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)) {
      if (isOption(name!) || OTHERS.test(text)) continue;
      wrong.push(`${at}: --${name} in "${text}"`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the advice of every kind of error is a sentence that tells what to do", () => {
  for (const [code, { fix }] of Object.entries(errorCatalog)) {
    assert.match(fix, /^[A-Z]/, code);
    assert.doesNotMatch(fix, /\.$/, code);
  }
});
