import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "empty file",
    text: ``,
    want: [
      "0:0: The file is empty, or has comments only | Describe an image: `dimg: app` and `from: debian:bookworm-slim`",
    ],
  },
  {
    name: "comments only",
    text: `
# nothing
---
# here
`.slice(1),
    want: [
      "0:0: The file is empty, or has comments only | Describe an image: `dimg: app` and `from: debian:bookworm-slim`",
    ],
  },
  {
    name: "NUL character",
    text: `
dimg: a
\0
`.slice(1),
    want: ["2:1: The file is not a text: it contains a NUL character | Save it as UTF-8 text"],
  },
  {
    name: "list at the top",
    text: `
- dimg: a
`.slice(1),
    want: [
      "1:1: The document is a list: it must be a map | Start it with `dimg: NAME` or `artifact: NAME`, and give each key a line `key: value`",
    ],
  },
  {
    name: "text at the top",
    text: `
hello
`.slice(1),
    want: [
      "1:1: The document is a text: it must be a map | Start it with `dimg: NAME` or `artifact: NAME`, and give each key a line `key: value`",
    ],
  },
  {
    name: "tab indentation, every line",
    text: `
dimg: a
from: x
shell:
\tinstall: x
\tsetup: y
`.slice(1),
    want: [
      "4:1: The line is indented with a tab | Indent with spaces: YAML does not allow tabs",
      "5:1: The line is indented with a tab | Indent with spaces: YAML does not allow tabs",
    ],
  },
  {
    name: "duplicate key",
    text: `
dimg: a
from: x
from: y
`.slice(1),
    want: [
      `3:1: Key "from" is given twice: first on line 2 | Keep one of them, or put both contents under one key`,
    ],
  },
  {
    name: "duplicate nested key",
    text: `
dimg: a
from: x
shell:
  install: a
  install: b
`.slice(1),
    want: [
      `5:3: Key "install" is given twice: first on line 4 | Keep one of them, or put both contents under one key`,
    ],
  },
  {
    name: "unclosed single quote",
    text: `
dimg: a
from: x
shell:
  install: 'x
  setup: y
`.slice(1),
    want: ["4:12: The quote ' is not closed | End the text with '"],
  },
  {
    name: "unclosed double quote",
    text: `
dimg: a
from: "x
`.slice(1),
    want: [`2:7: The quote " is not closed | End the text with "`],
  },
  {
    name: "unclosed list",
    text: `
dimg: a
from: x
git: [{add: /, to: /app}
shell: {}
`.slice(1),
    want: ["3:6: The list that starts here is not closed | End it with `]`, or indent what belongs to it"],
  },
  {
    name: "unclosed map",
    text: `
dimg: a
from: x
docker: {CMD: x
shell: {}
`.slice(1),
    want: ["3:9: The map that starts here is not closed | End it with `}`, or indent what belongs to it"],
  },
  {
    name: "unquoted pattern",
    text: `
dimg: a
from: x
git:
- to: /a
  stageDependencies: {install: [**/*]}
`.slice(1),
    want: [`5:33: \`**/*\` is read as a YAML alias | Put quotes around patterns that start with *: "**/*"`],
  },
  {
    name: "unknown anchor",
    text: `
dimg: a
from: x
shell: *foo
`.slice(1),
    want: ["3:8: There is no anchor `&foo` | Put quotes around a text that starts with *"],
  },
  {
    name: "misspelt anchor",
    text: `
dimg: a
from: &base x
shell: {install: *bsae}
`.slice(1),
    want: ["3:18: There is no anchor `&bsae` | Did you mean `*base`?"],
  },
  {
    name: "anchor of another document",
    text: `
dimg: a
from: &f x
---
dimg: b
from: *f
`.slice(1),
    want: [
      "5:7: Anchor `&f` belongs to another document or comes later | Define an anchor before its use, in the same document; documents share through `extends`",
    ],
  },
  {
    name: "alias within its anchor",
    text: `
dimg: &a
  - *a
from: x
`.slice(1),
    want: ["2:5: Alias `*a` stands inside what it repeats | Use another anchor"],
  },
  {
    name: "merge of a text",
    text: `
dimg: a
<<: foo
from: x
`.slice(1),
    want: ["2:5: `<<` merges maps: this is none | Write `<<: *name`, where `&name` marks a map"],
  },
  {
    name: "template as a value",
    text: `
dimg: a
from: {{ .Image }}
`.slice(1),
    want: [
      "2:8: A key must be a plain text | Go templates are not supported; environment values are written ${{ env.NAME }}",
    ],
  },
  {
    name: "template in a text",
    text: `
dimg: a
from: "{{ env \`X\` }}"
`.slice(1),
    want: [
      `2:7 from: "{{ env \`X\` }}" contains a template | Go templates are not supported; environment values are written \${{ env.NAME }}`,
    ],
  },
  {
    name: "template lines",
    text: `
{{ if x }}
dimg: a
{{ end }}
`.slice(1),
    want: [
      "2:1: This is not YAML | Go templates are not supported; environment values are written ${{ env.NAME }}",
    ],
  },
  {
    name: "template as a document",
    text: `
{{ include \`x\` . }}
---
dimg: a
from: x
`.slice(1),
    want: [
      "1:1: The document is a template: it must be a map | Go templates are not supported; environment values are written ${{ env.NAME }}",
    ],
  },
  {
    name: "expression in a flow list",
    text: `
dimg: a
from: x
docker: {CMD: [\${{ env.TAG }}]}
`.slice(1),
    want: [`3:17: This is not YAML | Put quotes around \${{ ... }} inside [ ] or { }: "\${{ env.NAME }}"`],
  },
  {
    name: "expression in a key",
    text: `
dimg: a
from: x
docker: {ENV: {"\${{ env.TAG }}": x}}
`.slice(1),
    want: ["3:16: Expressions work in values only: this one is in a key | Write the key in full"],
  },
  {
    name: "colon in a value",
    text: `
dimg: a
from: x
shell:
  install: echo a: b
`.slice(1),
    want: [
      "4:12: There is a second `: ` in this value | Put quotes around the value, or start a nested map on the next line with more indentation",
    ],
  },
  {
    name: "colon in a flow value",
    text: `
dimg: a
from: x
shell: {install: a: b}
`.slice(1),
    want: [
      "3:18: There is a second `: ` in this value | Put quotes around the value, or start a nested map on the next line with more indentation",
    ],
  },
  {
    name: "keys that are indented like more of a value",
    text: `
dimg: a
from: x
docker:
  WORKDIR: /app
   CMD: [sh]
---
dimg: b
from: x
mount:
  - to: /a
      and more
      from: build_dir
`.slice(1),
    want: [
      "5:4: This line is indented like more of the value of line 4 | Give the keys of one map the same indentation, or put quotes around the whole value",
      "12:7: This line is indented like more of the value of line 10 | Give the keys of one map the same indentation, or put quotes around the whole value",
    ],
  },
  {
    name: "list on the line of its key",
    text: `
dimg: a
from: x
shell:
  install: - a
`.slice(1),
    want: ["4:12: A list cannot start on the line of its key | Start it on the next line, or write [a, b]"],
  },
  {
    name: "dash without a space",
    text: `
dimg: a
from: x
shell:
  install:
  - a
  -b
`.slice(1),
    want: ["6:3: A list entry needs a space after `-` | Write `- ` before the value"],
  },
  {
    name: "value with a reserved character",
    text: `
dimg: a
from: x
shell:
  install: @x
`.slice(1),
    want: ["4:12: A value cannot start with `@` | Put quotes around the value"],
  },
  {
    name: "uneven indentation",
    text: `
dimg: a
from: x
shell:
   install: a
  setup: b
`.slice(1),
    want: [
      "5:1: The indentation does not fit the lines above | Give all keys of one map the same indentation",
    ],
  },
  {
    name: "text after a quoted value",
    text: `
dimg: a
from: x
shell:
  install: "a" b
`.slice(1),
    want: [
      "4:16: There is more text after the value has ended | Put quotes around the whole value, and close quotes opened above",
    ],
  },
  {
    name: "bad escape",
    text: `
dimg: a
from: x
shell:
  install: "a\\d"
`.slice(1),
    want: [
      "4:14: `\\d` means nothing between double quotes | Use single quotes, or write \\\\ for a backslash",
    ],
  },
  {
    name: "bracket too many",
    text: `
dimg: a
from: x]
shell: [a]]
`.slice(1),
    want: ["3:11: `]` closes nothing | Remove it, or put quotes around the value"],
  },
  {
    name: "missing comma",
    text: `
dimg: a
from: x
docker: {CMD: ["a" "b"]}
`.slice(1),
    want: [
      "3:20: A `,` or a closing bracket is missing | Separate entries with `,`; quote texts that contain [ ] { } or ,",
    ],
  },
  {
    name: "unknown tag",
    text: `
dimg: a
from: x
asLayers: !foo x
`.slice(1),
    want: ["3:11: YAML tag `!foo` is not known | Leave it out, or put quotes around the value"],
  },
  {
    name: "unknown directive",
    text: `
%FOO x
---
dimg: a
from: x
`.slice(1),
    want: ["1:1: `%FOO x` is not a YAML directive | Leave the line out"],
  },
  {
    name: "conflict markers",
    text: `
<<<<<<< HEAD
dimg: a
from: x
=======
from: y
>>>>>>> b
`.slice(1),
    want: ["1:1: The file has git conflict markers | Resolve the conflict first"],
  },
  {
    name: "too many brackets",
    text: "dimg: a\nfrom: x\n" + "[".repeat(20000),
    want: ["3:100: The document is nested too deeply to be read | Check its brackets"],
  },
  {
    name: "list as a key",
    text: `
dimg: a
from: x
? [a]
: b
`.slice(1),
    want: ["3:3: A key must be a plain text | Write `key: value`; quote texts that contain { } [ ]"],
  },
  ...["!!binary aGk=", '!!binary "@@@"', "!!timestamp 2026-01-01", "!!set { a, b }", "!!omap [a: b]"].map((
    value,
  ) => ({
    name: `value that no dappfile has: ${value}`,
    text: `dimg: a\nfrom: ${value}\n`,
    want: [
      `2:7: YAML tag \`${value.split(" ")[0]}\` is not known | Leave it out, or put quotes around the value`,
    ],
  })),
  {
    name: "prototype key",
    text: `
dimg: a
from: x
__proto__: x
`.slice(1),
    want: [`3:1: Key "__proto__" cannot be used`],
  },
  {
    name: "problems of every bad document",
    text: `
dimg: a
from: @x
---
dimg: b
from: - y
---
dimg: C
from: z
`.slice(1),
    want: [
      "2:7: A value cannot start with `@` | Put quotes around the value",
      "5:7: A list cannot start on the line of its key | Start it on the next line, or write [a, b]",
      `7:7 dimg: "C" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`c\`?`,
    ],
  },
  {
    name: "bad syntax hides no problem of a former document",
    text: `
dimg: A
from: y
---
dimg: b
\tfrom: x
`.slice(1),
    want: [
      `1:7 dimg: "A" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`a\`?`,
      "5:1: The line is indented with a tab | Indent with spaces: YAML does not allow tabs",
    ],
  },
  {
    name: "aliases that explode",
    text: `
dimg: x
from: x
a: &a [x,x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]
`.slice(1),
    want: [
      `3:1 a: Unknown key "a" in a document with \`dimg\` | Known keys: dimg, from, fromCacheVersion, fromDimg, fromDimgArtifact, dockerfile, context, target, args, git, gitPatches, shell, mount, secrets, ssh, network, import, asLayers, extends, matrix, docker`,
      "3:20 e[7][0][7][0][6]: Anchors expand to more than 100000 values | Use fewer aliases",
      `4:1 b: Unknown key "b" in a document with \`dimg\` | Known keys: dimg, from, fromCacheVersion, fromDimg, fromDimgArtifact, dockerfile, context, target, args, git, gitPatches, shell, mount, secrets, ssh, network, import, asLayers, extends, matrix, docker`,
      `5:1 c: Unknown key "c" in a document with \`dimg\` | Known keys: dimg, from, fromCacheVersion, fromDimg, fromDimgArtifact, dockerfile, context, target, args, git, gitPatches, shell, mount, secrets, ssh, network, import, asLayers, extends, matrix, docker`,
      `6:1 d: Unknown key "d" in a document with \`dimg\` | Known keys: dimg, from, fromCacheVersion, fromDimg, fromDimgArtifact, dockerfile, context, target, args, git, gitPatches, shell, mount, secrets, ssh, network, import, asLayers, extends, matrix, docker`,
      `7:1 e: Unknown key "e" in a document with \`dimg\` | Known keys: dimg, from, fromCacheVersion, fromDimg, fromDimgArtifact, dockerfile, context, target, args, git, gitPatches, shell, mount, secrets, ssh, network, import, asLayers, extends, matrix, docker`,
    ],
  },
  {
    name: "CRLF and BOM keep positions",
    text: `\uFEFFdimg: a\r
form: x\r
`,
    want: [`2:1 form: Unknown key "form" in a document with \`dimg\` | Did you mean \`from\`?`],
  },
];

Deno.test("parseConfig() rejects what is not the YAML it should be", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});

Deno.test("parseConfig() reads no more than a dappfile may mean", async (t) => {
  const ten = (name: string) => `[${Array(10).fill(name).join(",")}]`;
  const steps = Array.from({ length: 12 }, (_, i) => `m${i}: &m${i + 1} {<<: ${ten(`*m${i}`)}}\n`);
  const tree = `a: &a ${ten("x")}\nb: &b ${ten("*a")}\nc: &c ${ten("*b")}\n`;
  const large = `${tree}d: &d ${ten("*c")}\ne: [*d,*d,*d,*d,*d,*d]\n`;
  const texts = {
    "merged maps": [
      `dimg: x\nfrom: x\na: &m0 {a: x}\n${steps.join("")}`,
      "Anchors expand to more than 100000 values",
    ],
    "many documents": [
      Array.from({ length: 9 }, (_, i) => `---\ndimg: x${i}\nfrom: x\n${large}`).join(""),
      "All documents together have more than 250000 values",
    ],
  } as const;
  for (const [name, [text, why]] of Object.entries(texts)) {
    await t.step(name, () => {
      assert.strictEqual(problemsOf(text).filter((problem) => problem.includes(why)).length, 1);
    });
  }
});
