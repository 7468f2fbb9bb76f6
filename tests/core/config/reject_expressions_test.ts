import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "image name with a bracket",
    text: `
dimg: a
from: x]
`.slice(1),
    want: [`2:7 from: Image name "x]" contains \`]\``],
  },
  {
    name: "unset variable",
    text: `
dimg: a
from: \${{ env.NOPE }}
`.slice(1),
    want: [
      `2:7 from: Environment variable "NOPE" is not set | Set it, or give a default: \${{ env.NOPE || "default" }}`,
    ],
  },
  {
    name: "unset variables of one block, by line",
    text: `
dimg: a
from: x
shell:
  install: |
    ls
    echo \${{ env.NOPE }} $\${{ env.B }}
    x \${{ env.NOPE2 }}
`.slice(1),
    want: [
      `6:10 shell.install: Environment variable "NOPE" is not set | Set it, or give a default: \${{ env.NOPE || "default" }}`,
      `7:7 shell.install: Environment variable "NOPE2" is not set | Set it, or give a default: \${{ env.NOPE2 || "default" }}`,
    ],
  },
  {
    name: "chain of unset variables",
    text: `
dimg: a
from: \${{ env.A || env.B }}
`.slice(1),
    want: [
      `2:7 from: Environment variables "A" and "B" are not set | Set it, or give a default: \${{ env.A || "default" }}`,
    ],
  },
  {
    name: "other name space",
    text: `
dimg: a
from: x
shell: {install: "x \${{ secrets.TOKEN }}"}
`.slice(1),
    want: [
      `3:21 shell.install: "\${{ secrets.TOKEN }}" is not an expression | Only the environment can be read: write \${{ env.TOKEN }}`,
    ],
  },
  {
    name: "bare name",
    text: `
dimg: a
from: x
shell: {install: "x \${{ TOKEN }}"}
`.slice(1),
    want: [
      `3:21 shell.install: "\${{ TOKEN }}" is not an expression | Variables are named after "env.": write \${{ env.TOKEN }}`,
    ],
  },
  {
    name: "empty expression",
    text: `
dimg: a
from: \${{ }}
`.slice(1),
    want: [
      `2:7 from: "\${{ }}" is not an expression | Write \${{ env.NAME }} or \${{ env.NAME || "default" }}; for a literal text write $\${{`,
    ],
  },
  {
    name: "unclosed expression",
    text: `
dimg: a
from: \${{ env.TAG
`.slice(1),
    want: [`2:7 from: "\${{ env.TAG" is not closed | End the expression with \`}}\``],
  },
  {
    name: "operator",
    text: `
dimg: a
from: \${{ env.TAG + 1 }}
`.slice(1),
    want: [
      `2:7 from: "\${{ env.TAG + 1 }}" is not an expression | Write \${{ env.NAME }} or \${{ env.NAME || "default" }}; for a literal text write $\${{`,
    ],
  },
  {
    name: "unset variables do not cascade",
    text: `
dimg: \${{ env.N }}
fromDimg: \${{ env.N }}
docker: {ENV: {A: "\${{ env.N }}"}, CMD: "\${{ env.N }}", HEALTHCHECK: "\${{ env.N }}", EXPOSE: ["\${{ env.N }}"]}
git: [{to: "\${{ env.N }}"}]
mount: [{to: /x, from: "\${{ env.N }}"}]
import: [{artifact: "\${{ env.N }}", add: /x, after: "\${{ env.N }}"}]
`.slice(1),
    want: [
      `1:7 dimg: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `2:11 fromDimg: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `3:20 docker.ENV.A: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `3:42 docker.CMD: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `3:71 docker.HEALTHCHECK: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `3:96 docker.EXPOSE[0]: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `4:13 git[0].to: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `5:25 mount[0].from: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `6:22 import[0].artifact: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
      `6:54 import[0].after: Environment variable "N" is not set | Set it, or give a default: \${{ env.N || "default" }}`,
    ],
  },
  {
    name: "prototype names are not variables",
    text: `
dimg: a
from: \${{ env.constructor }}
`.slice(1),
    want: [
      `2:7 from: Environment variable "constructor" is not set | Set it, or give a default: \${{ env.constructor || "default" }}`,
    ],
  },
];

Deno.test("parseConfig() rejects expressions without a value", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});
