/**
 * Every example of the documentation is executed by the test that how_run.ts names (parts of programs are type-checked), or
 * stands there in the list of those that are not. What no page runs in its own order is looked at here for what it is, too: words against the parser, keys
 * against the schema; a block that is nothing known fails.
 */
import assert from "node:assert/strict";
import { parse as parseToml } from "@std/toml/parse";
import { parse as parseYaml, parseAllDocuments } from "yaml";
import { parseArgs } from "../../cli/parse.ts";
import { table } from "../../cli/table.ts";
import { parseConfig } from "../../core/config/parse.ts";
import { collectTagFlags } from "../../core/publish/tag_flags.ts";
import { run } from "../support/process.ts";
import { withHooks } from "../tagging/support.ts";
import { allTexts, textOf, withDimg } from "./blocks.ts";
import { checkGitlab, checkWorkflow } from "./ci_files.ts";
import {
  isCommands,
  isDappfile,
  isTyped,
  isWorkflow,
  onlyChecked,
  runsAsPage,
  whyOnlyChecked,
} from "./how_run.ts";
import { commandsOf } from "./shell.ts";

const root = new URL("../../", import.meta.url).pathname;
const texts = await allTexts();
const blocks = texts.flatMap((text) => text.blocks);
const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
const { inputs } = parseYaml(await Deno.readTextFile(`${root}action.yml`));
const tagFlags = (await withHooks([], collectTagFlags)).map(({ name }) => name);
const top = new Set(
  (await Array.fromAsync(Deno.readDir(root))).filter((e) => e.isDirectory).map((e) => e.name),
);

/** Languages of blocks that are not run, with what checks one. */
const CHECKS: Readonly<Record<string, (text: string) => Promise<void> | void>> = {
  sh: checkShell,
  console: (text) =>
    checkShell([...text.matchAll(/^\$ (.*)$/gm)].map(([, command]) => `${command}\n`).join("")),
  yaml: checkYaml,
  json: (text) => void JSON.parse(text),
  toml: (text) => assert.ok(Object.keys(parseToml(text)).length > 0),
  // Type-checked with the package, by release/npm_test.ts.
  "ts ignore": () => {},
  // What README's run printed.
  text: checkOutput,
  // Read by structure_test.ts.
  rooms: (text) => assert.match(text, /^cli\.ts /),
};

async function checkShell(script: string): Promise<void> {
  const commands = commandsOf(script);
  assert.ok(commands.length > 0 || /^export /m.test(script), "no command");
  for (const words of commands) await checkCommand(words);
}

/** Programs whose words are looked at; of others, files of the repository must be there. */
async function checkCommand([program, ...words]: readonly string[]): Promise<void> {
  if (program === "dapp") return await checkDapp(words);
  if (program === "npx") {
    const rest = words.filter((word) => !word.startsWith("-"));
    await checkCommand([rest[0]!.replace(/@.*/, ""), ...rest.slice(1)]);
  } else if (program === "deno" && words[0] === "task") {
    assert.ok(words[1]! in tasks, `deno.json has no task "${words[1]}"`);
  } else if (program === "docker" && words[0] === "run") {
    const image = words.findIndex((word) => /\/dapp:/.test(word));
    if (image >= 0) await checkDapp(words.slice(image + 1));
  }
  for (const word of [program!, ...words]) {
    if (/^[\w.-]+\/[\w./-]+$/.test(word) && top.has(word.split("/")[0]!) && !word.startsWith("out/")) {
      await Deno.stat(root + word);
    }
  }
}

async function checkDapp(words: readonly string[]): Promise<void> {
  const parsed = await parseArgs(words, table);
  if (!("command" in parsed)) return assert.ok(parsed.asked, `dapp ${words.join(" ")}: something is missing`);
  for (const { flag } of parsed.tags) assert.ok(tagFlags.includes(flag), `no scheme has --${flag}`);
}

async function checkYaml(text: string): Promise<void> {
  const [, path] = /^# (\S+\.ya?ml)$/m.exec(text.split("\n")[0]!) ?? [];
  const documents = parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() ?? undefined;
  });
  const [first] = documents;
  if (path?.startsWith(".github/workflows/")) {
    for (const script of checkWorkflow(first, Object.keys(inputs))) await checkShell(script);
  } else if (path === ".gitlab-ci.yml") {
    for (const script of checkGitlab(first, ["/templates/dapp.gitlab-ci.yml"])) await checkShell(script);
  } else if (first === undefined) assert.match(text, /^# yaml-language-server: \$schema=\S+$/m);
  else if ("apiVersion" in first) assert.ok(first.kind && first.metadata.name);
  else if ("securityContext" in first) assert.deepEqual(Object.keys(first), ["securityContext"]);
  else checkDappfile(text);
}

function checkDappfile(text: string): void {
  const { config } = parseConfig(withDimg(text), { file: "dappfile.yaml", env: {} });
  assert.deepEqual(config.warnings, []);
}

/** Lines as the renderer prints them: a stage, or output of a stage's command. */
function checkOutput(text: string): void {
  const state = /^\S+ {2}(?:cached|building|built|fetched|failed|sha256:\w+…)(?: {2}.*)?$/;
  for (const line of text.trimEnd().split("\n")) assert.ok(state.test(line) || /^\S+ │ /.test(line), line);
}

Deno.test("every fenced example is run or checked", async () => {
  const wrong: string[] = [];
  for (const block of blocks) {
    if (runsAsPage(block)) continue;
    const at = `${block.file}:${block.line}`;
    const check = CHECKS[block.info.replace(/ name=\S+$/, "")];
    if (!check) wrong.push(`${at}: a block "${block.info}" is neither run nor checked`);
    else {
      try {
        await check(block.text);
      } catch (error) {
        wrong.push(`${at}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(blocks.length > 100, `${blocks.length} blocks`);
});

Deno.test("every example is executed, but for a few that are named with the reason", () => {
  const executed = [runsAsPage, isCommands, isDappfile, isWorkflow, isTyped];
  const neither = blocks.filter((block) => !whyOnlyChecked(block) && !executed.some((is) => is(block)));
  assert.deepEqual(neither.map(({ file, line }) => `${file}:${line}`), []);
  const checked = blocks.filter(whyOnlyChecked);
  for (const [file, starts] of Object.values(onlyChecked).flat()) {
    assert.ok(
      checked.some((b) => b.file === file && b.text.startsWith(starts)),
      `${file} has no block "${starts}"`,
    );
  }
  const rows = checked.map((block) => `\n  ${block.file}:${block.line}: ${whyOnlyChecked(block)}`);
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      `[examples: ${blocks.length - checked.length} executed or type-checked, ${checked.length} only checked${
        rows.join("")
      }]\n`,
    ),
  );
});

Deno.test("scripts that are not run are scripts", async () => {
  const scripts = blocks.filter(({ info }) => info === "sh")
    .map(({ file, line, text }) => `: ${file}:${line}\n${text}`).join("");
  await run(["bash", "-n"], { stdin: scripts });
});

Deno.test("commands between backticks exist, with their options", async () => {
  const wrong: string[] = [];
  for (const { file, spans } of texts) {
    if (file === "CHANGELOG.md") continue; // it tells of commands that are gone
    for (const { line, text } of spans) {
      if (!/^dapp [a-z-]/.test(text)) continue;
      // What stands for something else is left out: [OPTION...], …
      for (const words of commandsOf(text.replaceAll(/\[[^\]]*\]|…|\.\.\.$/g, ""))) {
        if (words[0] !== "dapp") continue;
        await checkDapp(words.slice(1)).catch((error) => {
          if (!/ is missing$|it needs a value/.test(error.message)) {
            wrong.push(`${file}:${line}: ${text}: ${error.message}`);
          }
        });
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("a block that is nothing known, or wrong, is found", async () => {
  const of = (info: string, text: string) => textOf("x.md", `\`\`\`${info}\n${text}\n\`\`\`\n`).blocks[0]!;
  assert.equal(CHECKS[of("groovy", "pipeline {}").info], undefined);
  const wrong: readonly (readonly [info: string, text: string, message: RegExp])[] = [
    ["sh", "cd x && dapp dimg biuld", /biuld/],
    ["sh", 'if dapp dimg build --quiett "a b"; then :; fi', /--quiett/],
    ["sh", "dapp dimg bp REPO --tag-calver", /no scheme has --tag-calver/],
    ["sh", "npx --yes deno@2 task biuld", /no task "biuld"/],
    ["sh", "sh deploy/kubernetes/nothing.sh", /NotFound|No such file/],
    ["yaml", "dimg: app\nform: scratch", /Cannot use/],
    [
      "yaml",
      "# .github/workflows/a.yml\non: push\njobs: { a: { runs-on: x, steps: [{ usse: y }] } }",
      /usse/,
    ],
    [
      "yaml",
      "# .github/workflows/a.yml\non: push\njobs: { a: { runs-on: x, steps: [{ uses: dapp/dapp@v1, with: { rpeo: y } }] } }",
      /rpeo/,
    ],
    ["yaml", "# .gitlab-ci.yml\njob: { scirpt: [make] }", /scirpt/],
    ["yaml", "# .gitlab-ci.yml\njob: { script: [dapp dimg puhs] }", /puhs/],
    ["text", "app/install  cahced", /cahced/],
  ];
  for (const [info, text, message] of wrong) {
    const block = of(info, text);
    await assert.rejects(async () => await CHECKS[block.info]!(block.text), message, text);
  }
});
