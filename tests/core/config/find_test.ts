import assert from "node:assert/strict";
import { findDappfile } from "../../../core/config/find.ts";
import { EngineError } from "../../../core/contract/errors.ts";

/** Runs `body` in a new directory with the given files; a value of null makes a directory. */
async function inDirectory(
  files: Readonly<Record<string, string | Uint8Array | null>>,
  body: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      if (content === null) await Deno.mkdir(`${dir}/${name}`);
      else if (typeof content === "string") await Deno.writeTextFile(`${dir}/${name}`, content);
      else await Deno.writeFile(`${dir}/${name}`, content);
    }
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function failure(dir: string): Promise<string> {
  try {
    await findDappfile(dir);
  } catch (error) {
    assert.ok(error instanceof EngineError);
    const where = error.details.problems?.map((p) => ` [${p.line}:${p.column} ${p.message}]`).join("") ?? "";
    return `${error.code} ${error.message.replaceAll(dir, "DIR")} | ${error.fix}${where}`;
  }
  return "found";
}

Deno.test("findDappfile() reads either name", async () => {
  for (const file of ["dappfile.yaml", "dappfile.yml"]) {
    await inDirectory({ [file]: "dimg: \u00fc\n" }, async (dir) => {
      assert.deepEqual(await findDappfile(dir), { file, path: `${dir}/${file}`, text: "dimg: \u00fc\n" });
      assert.equal((await findDappfile(`${dir}/`)).path, `${dir}/${file}`);
    });
  }
});

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const looked = 'CONFIG_NOT_FOUND Cannot find a dappfile in "DIR": looked for dappfile.yaml and dappfile.yml';
const cases: readonly (readonly [string, Readonly<Record<string, string | Uint8Array | null>>, string])[] = [
  ["nothing", {}, `${looked} | Write one with: dapp init; or name the project directory with --dir`],
  [
    "a Ruby Dappfile",
    { Dappfile: "dimg" },
    `${looked}; there is "Dappfile", of the old dapp | Make a dappfile of it with: dapp migrate dapp --write`,
  ],
  [
    "another spelling",
    { "DappFile.yaml": "x" },
    `${looked}; there is "DappFile.yaml" | Rename "DappFile.yaml" to dappfile.yaml`,
  ],
  [
    "both names",
    { "dappfile.yml": "a", "dappfile.yaml": "b" },
    'CONFIG_INVALID Cannot choose a dappfile in "DIR": both dappfile.yaml and dappfile.yml are there | Remove one of them' +
    " [0:0 Both dappfile.yaml and dappfile.yml are there]",
  ],
  [
    "a directory",
    { "dappfile.yaml": null },
    'CONFIG_INVALID Cannot read "DIR/dappfile.yaml": it is a directory, not a file | Put the dappfile there as a file' +
    " [0:0 It is a directory, not a file]",
  ],
  [
    "Latin-1 text",
    { "dappfile.yaml": bytes("dimg: a\nfrom: \xe4\n") },
    'CONFIG_INVALID Cannot use "dappfile.yaml": the file is not UTF-8 text | Correct the lines named above' +
    " [2:7 The file is not UTF-8 text]",
  ],
  [
    "UTF-16 text",
    { "dappfile.yaml": bytes("\xff\xfed\0i\0") },
    'CONFIG_INVALID Cannot use "dappfile.yaml": the file is UTF-16 text | Correct the lines named above' +
    " [1:1 The file is UTF-16 text]",
  ],
];

Deno.test("findDappfile() says what is there instead", async (t) => {
  for (const [name, files, want] of cases) {
    await t.step(name, () => inDirectory(files, async (dir) => assert.equal(await failure(dir), want)));
  }
  await t.step("no such directory", async () => {
    const want = 'CONFIG_NOT_FOUND Cannot look for a dappfile in "DIR": there is no such directory | ';
    assert.equal(
      await failure("/nonexistent/dir").then((s) => s.replace("/nonexistent/dir", "DIR")),
      `${want}Name the project directory with --dir`,
    );
  });
  await t.step("a file as directory", () =>
    inDirectory({ file: "x" }, async (dir) => {
      assert.match(
        await failure(`${dir}/file`),
        /^CONFIG_NOT_FOUND Cannot look for a dappfile in ".*": it is not a directory/,
      );
    }));
});

Deno.test("findDappfile() says what lies near instead: misspelt, above, below, of another tool", async (t) => {
  const cases: readonly (readonly [
    name: string,
    there: Readonly<Record<string, string | null>>,
    at: string,
    wanted: RegExp,
  ])[] = [
    [
      "misspelt",
      { "dapp-file.yaml": "" },
      "",
      /there is "dapp-file\.yaml" \| Rename "dapp-file\.yaml" to dappfile\.yaml$/,
    ],
    [
      "above",
      { "dappfile.yaml": "", services: null, "services/a": null },
      "/services/a",
      /there is one above: DIR\/dappfile\.yaml \| Run it there: --dir DIR$/,
    ],
    [
      "below",
      { services: null, "services/a": null, "services/a/dappfile.yml": "", Dockerfile: "" },
      "",
      /there is one below: services\/a\/dappfile\.yml \| Run it there: --dir services\/a; or --config services\/a\/dappfile\.yml,/,
    ],
    ["werf", { "werf.yaml": "" }, "", /there is "werf\.yaml".* \| .*dapp migrate werf --write$/],
    [
      "Dockerfile",
      { Dockerfile: "FROM x" },
      "",
      /there is "Dockerfile".* \| .*dapp migrate dockerfile --write$/,
    ],
    ["nothing", { "a.txt": "", src: null }, "", /dappfile\.yml \| Write one with: dapp init/],
  ];
  for (const [name, files, at, wanted] of cases) {
    await t.step(name, () =>
      inDirectory(files, async (dir) => {
        const said = await failure(`${dir}${at}`);
        assert.match(said.replaceAll(dir, "DIR"), wanted);
      }));
  }
});
