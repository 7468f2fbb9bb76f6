/** Every name that people write on the command line is guessed when it is misspelt. */
import assert from "node:assert/strict";
import { commandOptions, type CommandSpec } from "../../cli/command.ts";
import { optionSpec } from "../../cli/options.ts";
import { parseArgs } from "../../cli/parse.ts";
import { table } from "../../cli/table.ts";
import { editDistance } from "../../lib/suggest.ts";
import { parseDestination } from "../../core/export/destination.ts";
import { wrongRights } from "../../core/contract/rights.ts";
import { dapp } from "./support.ts";

/** What fingers make of a name: two letters change places, one is missing, one comes twice. */
function misspelt(name: string): readonly string[] {
  const middle = Math.floor(name.length / 2);
  const swapped = name.slice(0, middle - 1) + name[middle] + name[middle - 1] + name.slice(middle + 1);
  return [
    swapped,
    name.slice(0, middle) + name.slice(middle + 1),
    name.slice(0, middle) + name.slice(middle - 1),
  ]
    .filter((wrong) => wrong !== name && wrong.length > 2);
}

async function refusal(words: readonly string[]): Promise<string> {
  return await parseArgs(words, table).then(() => "", (error) => `${error.message}\n${error.fix}`);
}

/** Whether a message suggests the name, or another that the misspelt one is as near to. */
function suggests(message: string, name: string, wrong: string): boolean {
  const [, said] = /Did you mean:? (.*)\?/.exec(message) ?? [];
  if (said === undefined) return false;
  return said.split(/[\s"`]+/).some((word) => {
    const plain = word.replace(/^-+/, "");
    return plain === name || editDistance(plain, wrong) <= editDistance(name, wrong);
  });
}

const words = (command: CommandSpec) => command.path.split(" ");

Deno.test("a misspelt command or group is guessed, at each level", async () => {
  const paths = [...table.commands, ...table.groups].map(({ path }) => path.split(" "));
  for (const path of paths) {
    const name = path.at(-1)!;
    for (const wrong of misspelt(name)) {
      const message = await refusal([...path.slice(0, -1), wrong]);
      assert.ok(suggests(message, name, wrong), `${path.join(" ")} as "${wrong}": ${message}`);
    }
  }
});

Deno.test("a misspelt option is guessed, of each command", async () => {
  for (const command of table.commands) {
    for (const name of commandOptions(command)) {
      for (const wrong of misspelt(name)) {
        const message = await refusal([...words(command), `--${wrong}`]);
        assert.ok(message === "" || suggests(message, name, wrong), `${command.path} --${wrong}: ${message}`);
      }
    }
  }
});

Deno.test("a misspelt value is guessed where an option takes some and no others", async () => {
  let tried = 0;
  for (const command of table.commands) {
    for (const name of commandOptions(command)) {
      const { values = [], check } = optionSpec(name);
      const known = check === "compression" ? ["gzip", "zstd"] : values;
      for (const value of known) {
        for (const wrong of misspelt(value)) {
          const message = await refusal([...words(command), `--${name}=${wrong}`]);
          if (message === "" && values.length === 0) continue;
          tried++;
          assert.ok(suggests(message, value, wrong), `${command.path} --${name}=${wrong}: ${message}`);
        }
      }
    }
  }
  assert.ok(tried > 50);
});

Deno.test("a misspelt argument is guessed", async () => {
  const refused = async (...line: readonly string[]) => (await dapp(line)).stderr;
  for (const shell of ["bash", "zsh", "fish"]) {
    for (const wrong of misspelt(shell)) {
      assert.ok(suggests(await refused("completion", wrong), shell, wrong), wrong);
    }
  }
  for (const wrong of misspelt("repo")) {
    const message = await refusal(["dimg", "cleanup", wrong, "host.test/shop"]);
    assert.match(message, /Did you mean: dapp dimg cleanup repo host\.test\/shop\?/);
  }
  assert.match(
    await refusal(["dimg", "cleanup", "host.test/shop"]),
    /dapp dimg cleanup repo host\.test\/shop\?/,
  );
  for (const kind of ["oci", "oci-archive", "docker-archive"]) {
    for (const wrong of misspelt(kind)) {
      assert.throws(
        () => parseDestination(`${wrong}:x`, "/"),
        (error: Error) => suggests(error.message, kind, wrong),
        wrong,
      );
    }
  }
  for (const right of ["hosts", "read", "write", "programs"]) {
    for (const wrong of misspelt(right)) {
      assert.ok(suggests(wrongRights({ [wrong]: [] }) ?? "", right, wrong), wrong);
    }
  }
});
