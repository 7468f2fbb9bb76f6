/** What `dapp plugin new` writes, tested, type-checked and used by somebody who has the npm package alone. */
import assert from "node:assert/strict";
import { pluginKinds } from "../../cli/plugin_new/files.ts";
import type { Stranger } from "../support/packages.ts";
import { run as runHere } from "../support/process.ts";
import { writeFiles } from "../support/project.ts";

const kinds = Object.keys(pluginKinds);

const DAPPFILE = `dimg: app
from: scratch
shell: { install: ["mkdir opt; echo hi > opt/hi"] }
`;

/** Uses the tag scheme, which has packages of its own beside it, where the program has others. */
const EMBEDDED = `import { createEngine, use } from "@dapp/dapp";
import tagging from "./plugins/tools/my-tagging/mod.ts";
await using engine = createEngine({
  dir: "plugins",
  config: "plain.yaml",
  repo: "oci:embedded",
  plugins: [use(tagging, { digits: 5 })],
});
const { images } = await engine.push([], { build: true, tags: [{ flag: "tag-my-tagging" }] });
for (const { tags } of images) for (const { reference } of tags) console.log(reference);
`;

/** Makes a repository of a directory. */
export async function commit(dir: string): Promise<void> {
  const git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
  for (const args of [["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]]) {
    await runHere([...git, "-C", dir, ...args]);
  }
}

/** Writes one of every kind, tests them, and uses them together. */
export async function tryNewPlugins(t: Deno.TestContext, { dir, install, run }: Stranger): Promise<void> {
  await writeFiles(dir, {
    "plugins/.gitignore": "node_modules\nimages\n",
    "plugins/.tool-versions": "nodejs 22",
  });
  const shop = `${dir}/plugins`;
  const dapp = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    run([`${dir}/node_modules/.bin/dapp`, ...args], { cwd: shop, env });
  const own = (kind: string) => `${shop}/tools/my-${kind}`;
  const lines: Record<string, readonly string[]> = {};
  for (const kind of kinds) {
    const { stdout } = await dapp(["plugin", "new", kind, `tools/my-${kind}`, "--json"]);
    const { dappfile, written } = JSON.parse(stdout);
    assert.equal(written.length, 5);
    lines[kind] = dappfile;
  }
  const [first, ...rest] = kinds.map(own);
  const deno = `${first}/node_modules/.bin/deno`;

  await t.step("one passes its test as its README says, under plain strict", async () => {
    await install(first!);
    const { stdout } = await run(["npm", "test"], { cwd: first! });
    assert.match(stdout, /ok \| \d+ passed .*\| 0 failed/);
  });

  await t.step("the others pass theirs, with types, by one command and with the same packages", async () => {
    for (const cwd of rest) await Deno.symlink(`${first}/node_modules`, `${cwd}/node_modules`);
    const { stdout } = await run([deno, "test", "--allow-all", ...rest], { cwd: first! });
    assert.match(stdout, /ok \| \d+ passed .*\| 0 failed/);
    for (const cwd of rest) assert.match(stdout, new RegExp(`from .*/${cwd.split("/").at(-1)}/mod_test.ts`));
  });

  await t.step("a right that is missing is found by its own test", async () => {
    const cwd = own("inputs");
    const text = await Deno.readTextFile(`${cwd}/mod.ts`);
    await Deno.writeTextFile(`${cwd}/mod.ts`, text.replace(/^ {2}rights: .*\n/m, ""));
    const { code, stdout } = await run([deno, "test", "--allow-all", "--no-check"], {
      cwd,
      allowFailure: true,
    });
    await Deno.writeTextFile(`${cwd}/mod.ts`, text);
    assert.equal(code, 1);
    assert.match(stdout, /Cannot load plugin "inputs-my-inputs": it may not have read access to ".*VERSION"/);
  });

  await t.step("nothing in them is a matter for the linter", async () => {
    await run([deno, "lint", "tools"], { cwd: shop });
  });

  await t.step("nothing is written over", async () => {
    const again = ["plugin", "new", kinds[0]!, `tools/my-${kinds[0]}`];
    const { code, stderr } = await run([`${dir}/node_modules/.bin/dapp`, ...again], {
      cwd: shop,
      allowFailure: true,
    });
    assert.equal(code, 2);
    assert.match(stderr, /is there already/);
  });

  const { cleanup = [], ...others } = lines;
  const head = [
    "project: shop",
    "plugins:",
    ...Object.values(others).flatMap((each) => each.slice(1)),
    ...cleanup,
  ];
  await writeFiles(shop, {
    "dappfile.yaml": `${head.join("\n")}\n---\n${DAPPFILE}`,
    "plain.yaml": "dimg: page\nfrom: scratch\ngit: [{ add: /.tool-versions, to: /versions }]\n",
  });
  await commit(shop);

  await t.step("all of them are loaded from one dappfile", async () => {
    const { plugins } = JSON.parse((await dapp(["plugin", "list", "--json"])).stdout);
    const names = plugins.map(({ name }: { name: string }) => name);
    for (
      const name of [
        "tag-my-tagging",
        "registry-my-registry",
        "builder-my-builder",
        "ci-my-ci",
        "inputs-my-inputs",
      ]
    ) {
      assert.ok(names.includes(name), name);
    }
  });

  await t.step("inputs: what it looks at is part of signatures", async () => {
    const signature = async () => {
      const { images } = JSON.parse((await dapp(["dimg", "plan", "--json"])).stdout);
      return images[0].stages.find(({ stage }: { stage: string }) => stage === "install").signature;
    };
    const before = await signature();
    await Deno.writeTextFile(`${shop}/.tool-versions`, "nodejs 24");
    assert.notEqual(await signature(), before);
    await Deno.writeTextFile(`${shop}/.tool-versions`, "nodejs 22");
    assert.equal(await signature(), before);
  });

  await t.step("builder, tagging, ci and registry: an image is built, tagged and published", async () => {
    await dapp(["dimg", "build", "--builder", "my-builder"]);
    const ci = { MY_CI: "true", MY_CI_BRANCH: "feature/x", MY_CI_JOB_ID: "7" };
    await dapp(["dimg", "push", "my-registry:images", "--tag-my-tagging", "--tag-ci", "--tag-build-id"], ci);
    const { stdout } = await dapp(["dimg", "tags", "my-registry:images", "--json"]);
    assert.match(stdout, /"app-\d{4}\.\d\d\.\d\d-[0-9a-f]{8}"/);
    assert.match(stdout, /"app-feature-x-[0-9a-f]{8}"/);
    assert.match(stdout, /"app-7"/);
  });

  await t.step("tagging: a program with packages of its own has it too, and publishes by it", async () => {
    await writeFiles(dir, { "publish.ts": EMBEDDED });
    await run([`${dir}/node_modules/.bin/deno`, "check", "publish.ts"]);
    const { stdout } = await run([`${dir}/node_modules/.bin/deno`, "run", "--allow-all", "publish.ts"]);
    assert.match(stdout, /^oci:embedded:page-\d{4}\.\d\d\.\d\d-[0-9a-f]{5}\n$/);
  });

  await t.step("cleanup: the plan says what it keeps", async () => {
    const { stdout } = await dapp(["dimg", "cleanup", "repo", "my-registry:images", "--dry-run", "--json"]);
    assert.match(stdout, /not older than 1w/);
  });
}
