/** The files for Kubernetes against what they name: each other, dapp's options, and the real buildkitd where it is found. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { helpText } from "../../cli/help.ts";
import { createStyle } from "../../cli/style.ts";
import { table } from "../../cli/table.ts";
import { findBuildkitd } from "../support/buildkitd.ts";
import { run } from "../support/process.ts";

const folder = new URL("../../deploy/kubernetes/", import.meta.url);
const read = (file: string) => Deno.readTextFile(new URL(file, folder));

/** The value at a path of keys in a document of a kind. */
async function valueIn(file: string, kind: string, ...path: (string | number)[]): Promise<unknown> {
  const documents = parseAllDocuments(await read(file));
  assert.ok(Array.isArray(documents));
  for (const document of documents) {
    assert.deepEqual(document.errors, []);
    if (document.get("kind") === kind) return document.getIn(path);
  }
  assert.fail(`${file} has no ${kind}`);
}

Deno.test("the service, the set and the jobs of the files for Kubernetes name each other", async () => {
  const name = await valueIn("buildkitd.yaml", "Service", "metadata", "name");
  assert.equal(await valueIn("buildkitd.yaml", "StatefulSet", "spec", "serviceName"), name);
  assert.equal(await valueIn("buildkitd.yaml", "Service", "spec", "clusterIP"), "None");
  const port = await valueIn("buildkitd.yaml", "Service", "spec", "ports", 0, "port");
  const jobs = await read("dapp.yaml");
  const hosts = [...jobs.matchAll(/BUILDKIT_HOST, value: "(.*?)"/g)].map(([, host]) => host);
  assert.deepEqual(hosts, Array(2).fill(`tcp://${name}.ci.svc:${port}`));
});

Deno.test("the jobs for Kubernetes use commands and options that dapp has", async () => {
  const commands = [...(await read("dapp.yaml")).matchAll(/^ +dapp (dimg \w+(?: repo)?) (.*)$/gm)];
  assert.deepEqual(commands.map(([, path]) => path), ["dimg bp", "dimg cleanup repo"]);
  for (const [, path, words] of commands) {
    const help = helpText(path!, createStyle(false), table);
    for (const [option] of words!.matchAll(/(?<= )--[a-z-]+/g)) {
      assert.ok(help.includes(option), `${path} ${option}`);
    }
  }
});

Deno.test("the real buildkitd knows every flag of the files for Kubernetes", async () => {
  const buildkitd = await findBuildkitd();
  if (buildkitd === undefined) return;
  const { stdout } = await run([buildkitd, "--help"]);
  const flags = [...(await read("buildkitd.yaml")).matchAll(/^ +- (--[a-z-]+)/gm)].map(([, flag]) => flag!);
  assert.ok(flags.length > 5);
  for (const flag of flags) assert.match(stdout, new RegExp(`^ +${flag}\\b`, "m"));
});
