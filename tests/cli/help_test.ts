import assert from "node:assert/strict";
import { helpText } from "../../cli/help.ts";
import { createStyle } from "../../cli/style.ts";
import { table } from "../../cli/table.ts";
import { parseArgs } from "../../cli/parse.ts";
import { dapp } from "./support.ts";

const golden = new URL("golden/help.txt", import.meta.url);

Deno.test("help of every level is as recorded (UPDATE_GOLDEN=1 records it anew)", async () => {
  const paths = ["", ...table.groups.map(({ path }) => path), ...table.commands.map(({ path }) => path)];
  const text = paths.map((path) =>
    `$ dapp ${`${path} --help`.trim()}\n${helpText(path, createStyle(false), table)}`
  )
    .join("\n");
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(golden, text);
  assert.equal(text, await Deno.readTextFile(golden));
  for (const line of text.split("\n")) assert(line.length <= 80, line);
});

Deno.test("help of the program has each command once, in one line", () => {
  const listed = helpText("", createStyle(false), table).split("\nBegin:\n")[1]!.split("\n");
  for (const { path, summary } of table.commands) {
    assert.equal(listed.filter((line) => line.startsWith(`  ${path}  `)).length, 1, path);
    assert.ok(listed.some((line) => line.startsWith(`  ${path} `) && line.endsWith(` ${summary}`)), path);
  }
  assert.equal(listed.filter((line) => line.startsWith("  ")).length, table.commands.length);
});

Deno.test("help opens with two examples, on stdout, for each way to ask", async () => {
  const ways = [["dimg", "build", "--help"], ["--help", "dimg", "build"], [
    "dimg",
    "build",
    "-h",
    "--nonsense",
  ], ["help", "dimg", "build"]];
  for (const args of ways) {
    const { code, stdout, stderr } = await dapp(args);
    assert.equal(code, 0);
    assert.equal(stderr, "");
    assert.match(
      stdout,
      /^Build images.*\n\nExamples:\n {2}# .*\n {2}dapp dimg build\n {2}# .*\n {2}dapp dimg build .*\n\nUsage:\n/,
    );
  }
});

Deno.test("an incomplete command prints help on stderr and exits with 2", async () => {
  for (const args of [[], ["dimg"], ["dimg", "stage"], ["-q"]]) {
    const { code, stdout, stderr } = await dapp(args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /\nExamples:\n/);
  }
});

Deno.test("every example is a command line that can be parsed", async () => {
  for (const { path, examples } of table.commands) {
    for (const { command } of examples) {
      const [, line = ""] = /^(?:source <\()?dapp ([^>)]*)/.exec(command) ?? [];
      const parsed = await parseArgs(line.trim().replaceAll("'", "").split(" "), table);
      assert("command" in parsed && parsed.command.path === path, command);
    }
  }
});
