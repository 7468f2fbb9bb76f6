import assert from "node:assert/strict";
import { firstImage, problemsOf, read, type Reject } from "./support.ts";

const D = "dimg: a\nfrom: x\nshell: {install: [a]}\n";

Deno.test("parseConfig() reads secrets and ssh", () => {
  const { secrets, ssh } = firstImage(`${D}secrets:
- {id: npm, env: NPM_TOKEN}
- {id: key.2, file: ~/.ssh/key, target: /root//key/, version: 1.10}
- {id: v, env: V, as: V}
- {id: both, file: ./b, as: B, target: /b}
ssh: default
`);
  assert.deepEqual(secrets, [
    { id: "npm", source: { env: "NPM_TOKEN" }, target: "/run/secrets/npm", line: 5 },
    { id: "key.2", source: { file: "~/.ssh/key" }, target: "/root/key", version: "1.10", line: 6 },
    { id: "v", source: { env: "V" }, as: "V", line: 7 },
    { id: "both", source: { file: "./b" }, target: "/b", as: "B", line: 8 },
  ]);
  assert.deepEqual(ssh, ["default"]);
  assert.deepEqual([firstImage(D).secrets, firstImage(D).ssh], [[], []]);
  assert.deepEqual(
    read(
      "artifact: b\nfrom: x\nsecrets: [{id: a, env: A}]\nshell: {buildArtifact: a}\n---\ndimg: c\nfrom: x\n",
    ).images[0]?.secrets,
    [
      { id: "a", source: { env: "A" }, target: "/run/secrets/a", line: 3 },
    ],
  );
});

const cases: readonly Reject[] = [
  {
    name: "entries",
    text:
      `${D}secrets: [{env: A}, {id: b}, {id: c, env: A, file: f}, {id: a/b, env: A}, {id: d, env: $D}, {id: e, env: 1x}]`,
    want: [
      "4:11 secrets[0]: `id` is missing | Name the secret: commands see it as /run/secrets/ID",
      "4:21 secrets[1]: `env` or `file` is missing | Say where the value comes from, such as `env: NPM_TOKEN`",
      "4:46 secrets[2].file: `env` and `file` exclude each other | Keep one of them",
      '4:61 secrets[3].id: "a/b" is not an id | Use letters, digits, `_`, `.` and `-`; commands see /run/secrets/ID',
      '4:88 secrets[4].env: "$D" is not a name of a variable | Name it alone: `D`',
      '4:106 secrets[5].env: "1x" is not a name of a variable | Use letters, digits and `_`',
    ],
  },
  {
    name: "twice the same",
    text: `${D}mount: [{to: /m, from: tmp_dir}]\nsecrets:
- {id: a, env: A}
- {id: a, env: B}
- {id: b, env: A, target: /run/secrets/a}
- {id: c, env: A, as: X}
- {id: d, env: A, as: X}
- {id: e, env: A, target: /m}
- {id: f, env: A, target: /}
`,
    want: [
      '7:8 secrets[1].id: "a" is an id twice: first on line 6 | Keep one of them',
      '8:27 secrets[2].target: "/run/secrets/a" is there twice: first on line 6 | Keep one of them',
      '10:23 secrets[4].as: "X" is a variable twice: first on line 9 | Keep one of them',
      '11:27 secrets[5].target: "/m" is there twice: first on line 4 | Keep one of them',
      "12:27 secrets[6].target: No file can be `/` | Name a file below it",
    ],
  },
  {
    name: "agents",
    text: `${D}ssh: [github]`,
    want: ['4:7 ssh[0]: "github" is not allowed: it must be `default`'],
  },
];

Deno.test("parseConfig() rejects secrets", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});

Deno.test("parseConfig() warns about secrets that nobody reads or has", () => {
  const warnings = (text: string) => read(text).warnings;
  assert.deepEqual(warnings("dimg: a\nfrom: x\nsecrets: [{id: a, env: A}]\nssh: default\n"), [
    "dappfile.yaml:3: `shell` has no commands that could use `secrets`",
    "dappfile.yaml:4: `shell` has no commands that could use `ssh`",
  ]);
  const commands = (text: string) =>
    warnings(
      `dimg: a\nfrom: x\nsecrets: [{id: npm, env: A}, {id: v, env: V, as: V}]\nshell: {install: ["${text}"]}\n`,
    );
  assert.deepEqual(commands("cat /run/secrets/npm && ls /run/secrets"), []);
  assert.deepEqual(commands("cat /run/secrets/npn."), [
    "dappfile.yaml:4: /run/secrets/npn is not there: this image has npm",
  ]);
  assert.deepEqual(commands("cat /run/secrets/v"), [
    "dappfile.yaml:4: /run/secrets/v is not there: secret v is seen in another place",
  ]);
});

Deno.test("parseConfig() warns about variables that look like secrets", () => {
  const warned = (name: string, where = "shell: {install: ['echo VALUE']}") => {
    const text = `dimg: a\nfrom: x\n${where.replace("VALUE", `\${{ env.${name} || x }}`)}\n`;
    return read(text).warnings.some((warning) =>
      warning.includes(`the value of ${name}, which looks like a secret`)
    );
  };
  for (
    const name of [
      "NPM_TOKEN",
      "DB_PASSWORD",
      "token",
      "AWS_SECRET_ACCESS_KEY",
      "API_KEY",
      "GH_AUTH",
      "SECRET",
    ]
  ) {
    assert.ok(warned(name), name);
  }
  for (const name of ["PWD", "TOKENIZER", "KEYBOARD", "AUTHOR", "CI_COMMIT", "PASSENGER_VERSION"]) {
    assert.ok(!warned(name), name);
  }
  assert.ok(warned("TOKEN", "docker: {ENV: {A: 'VALUE'}}"));
  assert.ok(!warned("TOKEN", "git: [{to: /a, owner: 'VALUE'}]"));
});
