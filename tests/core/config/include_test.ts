import assert from "node:assert/strict";
import { readConfig } from "../../../core/config/read_config.ts";
import { requireOwnFile } from "../../../core/config/untrusted.ts";
import { EngineError } from "../../../core/contract/errors.ts";
import { withTempDir } from "../../support/tmp.ts";

async function write(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(`${dir}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${dir}/${name}`, text);
  }
}

/** Names of the images, or every problem, of a dappfile in a project with these files. */
async function outcome(files: Readonly<Record<string, string>>): Promise<string[]> {
  return await withTempDir(async (dir) => {
    await write(dir, files);
    try {
      const text = files["dappfile.yaml"]!;
      const { config } = await readConfig({ dir, file: "dappfile.yaml", text }, { env: {} });
      return config.images.map(({ name, file, line }) => `${name} ${file ?? "dappfile.yaml"}:${line}`);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return (error.details.problems ?? []).map(({ file, line, column, message }) =>
        `${file}:${line}:${column}: ${message}`
      );
    }
  });
}

Deno.test("include brings in documents of other files, each file once", async () => {
  assert.deepEqual(
    await outcome({
      "dappfile.yaml": "include: [common.yaml, services/*/dapp.yaml]\n---\ndimg: app\nextends: base\n",
      "common.yaml": "include: common.yaml\n---\ntemplate: base\nfrom: x\n",
      "services/b/dapp.yaml": "include: [common.yaml, more/deep.yaml]\n---\ndimg: b\nextends: base\n",
      "services/a/dapp.yaml": "# a\ndimg: a\nfromDimg: deep\n",
      "services/.hidden/dapp.yaml": "dimg: hidden\nfrom: x\n",
      "services/c/other.yaml": "dimg: other\nfrom: x\n",
      "more/deep.yaml": "dimg: deep\nextends: base\n",
    }),
    ["app dappfile.yaml:3", "a services/a/dapp.yaml:2", "b services/b/dapp.yaml:3", "deep more/deep.yaml:1"],
  );
});

Deno.test("include takes a file once, by whatever names it is reached", async () => {
  await withTempDir(async (dir) => {
    const text = 'include: ["*.yaml", "*/*.yaml"]\n---\ndimg: app\nfrom: x\n';
    await write(dir, { "dappfile.yaml": text, "one/a.yaml": "dimg: a\nfrom: x\n" });
    await Deno.symlink("one", `${dir}/two`);
    for (const file of ["dappfile.yaml", "./dappfile.yaml", ".//dappfile.yaml", `${dir}/dappfile.yaml`]) {
      const { config } = await readConfig({ dir, file, text }, { env: {} });
      assert.deepEqual(config.images.map(({ name }) => name), ["app", "a"]);
    }
  });
});

Deno.test("a directory that may not be read is not listed for include", async () => {
  await withTempDir(async (dir) => {
    const text = 'include: ["out/*.yaml"]\n---\ndimg: app\nfrom: x\n';
    await write(dir, { "p/dappfile.yaml": text, "machine/private.yaml": "dimg: a\nfrom: x\n" });
    await Deno.symlink("../machine", `${dir}/p/out`);
    const allowed = (path: string) => requireOwnFile(`${dir}/p`, path);
    await assert.rejects(
      readConfig({ dir: `${dir}/p`, file: "dappfile.yaml", text, allowed }, { env: {} }),
      (error: Error) => /"[^"]*\/p\/out" is a link/.test(error.message) && !error.message.includes("private"),
    );
  });
});

Deno.test("mistakes in included files are told with their file", async (t) => {
  const start = "include: [a.yaml]\n---\ndimg: app\nfrom: x\n";
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
    ["a wrong key", { "dappfile.yaml": start, "a.yaml": "dimg: a\nform: x\n" }, [
      'a.yaml:2:1: Unknown key "form" in a document with `dimg`',
    ]],
    ["no YAML", { "dappfile.yaml": start, "a.yaml": "dimg: a\n\tfrom: x\n" }, [
      "a.yaml:2:1: The line is indented with a tab",
    ]],
    ["an empty file", { "dappfile.yaml": start, "a.yaml": "# nothing\n" }, [
      "a.yaml:0:0: The file is empty, or has comments only",
    ]],
    ["project keys", { "dappfile.yaml": start, "a.yaml": "project: b\nrepo: x.y/z\n" }, [
      'a.yaml:1:1: "project" is about the project, and this file is included',
      'a.yaml:2:1: "repo" is about the project, and this file is included',
    ]],
    ["one name in two files", { "dappfile.yaml": start, "a.yaml": "dimg: app\nfrom: x\n" }, [
      'a.yaml:1:7: Two dimgs are named "app": on line 3 of dappfile.yaml and line 1 of a.yaml',
    ]],
    ["problems of several files, the dappfile first", {
      "dappfile.yaml": "include: [a.yaml]\n---\ndimg: app\nfrom: [x]\n",
      "a.yaml": "dimg: a\nfrom: [x]\n",
    }, [
      'dappfile.yaml:4:7: "from" takes a text: found a list',
      'a.yaml:2:7: "from" takes a text: found a list',
    ]],
    ["what is not there", {
      "dappfile.yaml":
        "include: [no.yaml, x/*.yaml, ../up.yaml, /etc/passwd, '**/a.yaml', '[', d/]\n---\ndimg: a\nfrom: x\n",
      "d/a.yml": "",
    }, [
      'dappfile.yaml:1:11: There is no file "no.yaml"',
      'dappfile.yaml:1:20: No file matches "x/*.yaml"',
      'dappfile.yaml:1:30: "../up.yaml" leads out of the project directory',
      'dappfile.yaml:1:42: "/etc/passwd" leads out of the project directory',
      'dappfile.yaml:1:55: "**/a.yaml" would search a whole tree',
      'dappfile.yaml:1:73: "d" is a directory',
    ]],
  ];
  for (const [name, files, want] of cases) {
    await t.step(name, async () => {
      const found = await outcome(files);
      for (const each of want) assert.ok(found.includes(each), `${each}\nis not in\n${found.join("\n")}`);
    });
  }
});

Deno.test("include is bounded: files, and bytes", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 1001 }, (_, i) => [`d/${i}.yaml`, `template: t${i}\n`]),
  );
  const start = "include: d/*.yaml\n---\ndimg: app\nfrom: x\n";
  assert.deepEqual(await outcome({ "dappfile.yaml": start, ...many }), [
    "dappfile.yaml:1:10: More than 1000 files are included",
  ]);
  const big = `# ${"x".repeat(5 << 20)}\ntemplate: a\n`;
  assert.deepEqual(await outcome({ "dappfile.yaml": start, "d/a.yaml": big, "d/b.yaml": big }), [
    "dappfile.yaml:1:10: The included files have more than 8388608 bytes",
  ]);
});
