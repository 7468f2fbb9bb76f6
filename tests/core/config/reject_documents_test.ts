import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "unknown document",
    text: `
services: {}
`.slice(1),
    want: [
      "1:1: The document has neither `dimg` nor `artifact`: it starts with `services` | Add `dimg: NAME`",
    ],
  },
  {
    name: "no name",
    text: `
from: x
`.slice(1),
    want: ["1:1: The document has neither `dimg` nor `artifact`: it starts with `from` | Add `dimg: NAME`"],
  },
  {
    name: "misspelt dimg",
    text: `
dmig: a
from: x
`.slice(1),
    want: [`1:1 dmig: Unknown key "dmig" in a document with \`dimg\` | Did you mean \`dimg\`?`],
  },
  {
    name: "misspelt artifact",
    text: `
dimg: a
from: x
---
artefact: a
from: x
`.slice(1),
    want: [
      `4:1 artefact: Unknown key "artefact" in a document with \`artifact\` | Did you mean \`artifact\`?`,
    ],
  },
  {
    name: "misspelt project",
    text: `
prject: x
---
dimg: a
from: x
`.slice(1),
    want: [`1:1 prject: Unknown key "prject" in the project document | Did you mean \`project\`?`],
  },
  {
    name: "both dimg and artifact",
    text: `
dimg: a
artifact: b
from: x
`.slice(1),
    want: [
      "2:1 artifact: A document is a dimg or an artifact, not both: see lines 1 and 2 | Split it with a line `---`",
    ],
  },
  {
    name: "artifact only",
    text: `
artifact: b
from: x
`.slice(1),
    want: ["1:1: The file describes no image: there is no document with `dimg` | Add one: `dimg: app`"],
  },
  {
    name: "project only",
    text: `
project: b
`.slice(1),
    want: ["1:1: The file describes no image: there is no document with `dimg` | Add one: `dimg: app`"],
  },
  {
    name: "late project document",
    text: `
dimg: a
from: x
---
project: x
`.slice(1),
    want: ["4:1: The project document is not the first of the file | Move it to the top"],
  },
  {
    name: "two project documents",
    text: `
project: x
---
repo: y
---
dimg: a
from: x
`.slice(1),
    want: [
      "3:1: There is a second project document: the first is on line 1 | Put all project keys into one document",
    ],
  },
  {
    name: "project key in a dimg",
    text: `
project: x
dimg: a
from: x
`.slice(1),
    want: [
      `1:1 project: Unknown key "project" in a document with \`dimg\` | \`project\` belongs in a document of its own, the first in the file`,
    ],
  },
  {
    name: "unknown project key",
    text: `
project: x
deployment: {}
---
dimg: a
from: x
`.slice(1),
    want: [
      `2:1 deployment: Unknown key "deployment" in the project document | Known keys: project, repo, plugins, cleanup, include, defaults`,
    ],
  },
  {
    name: "project name with a space",
    text: `
project: my shop
---
dimg: a
from: x
`.slice(1),
    want: [`1:10 project: "my shop" contains white space`],
  },
  {
    name: "repo as URL",
    text: `
repo: https://r.example.com/x
---
dimg: a
from: x
`.slice(1),
    want: [
      `1:7 repo: "https://r.example.com/x" names no repository: it has a scheme, wanted is host/path. Did you mean "r.example.com/x"?`,
    ],
  },
  {
    name: "repo with a tag",
    text: `
repo: r.example.com/x:1
---
dimg: a
from: x
`.slice(1),
    want: [
      `1:7 repo: "r.example.com/x:1" names no repository: it has a tag, wanted is host/path without one. Did you mean "r.example.com/x"? | Leave ":1" out, and give the tag with --tag 1`,
    ],
  },
  {
    name: "repo in upper case",
    text: `
repo: r.example.com/X
---
dimg: a
from: x
`.slice(1),
    want: [
      `1:7 repo: "r.example.com/X" names no repository: "X" is no repository name: upper-case letters are not allowed there. Did you mean "r.example.com/x"?`,
    ],
  },
  {
    name: "plugins that name nothing",
    text: `
plugins: [{options: {}}, {use: [a]}, {uze: x}, [a]]
---
dimg: a
from: x
`.slice(1),
    want: [
      "1:11 plugins[0]: `use` is missing | Name the plugin: a path, npm:, jsr: or https: specifier, or a built-in name",
      `1:32 plugins[1].use: "use" takes a text: found a list`,
      `1:39 plugins[2].uze: Unknown key "uze" in plugins[2] | Did you mean \`use\`?`,
      `1:48 plugins[3]: "plugins[3]" takes a map: found a list | Write \`key: value\` lines below it, with more indentation`,
    ],
  },
  {
    name: "cleanup with mistakes",
    text: `
cleanup: { kep: [], keep: [{ options: {} }], defaults: maybe, stages: { grace: soon, budget: big } }
---
dimg: a
from: x
`.slice(1),
    want: [
      `1:12 cleanup.kep: Unknown key "kep" in cleanup | Did you mean \`keep\`?`,
      "1:28 cleanup.keep[0]: `use` is missing | Name the plugin: a path, npm:, jsr: or https: specifier, or a built-in name",
      `1:56 cleanup.defaults: "maybe" is neither true nor false`,
      `1:80 cleanup.stages.grace: "soon" is not a duration | Write a number with s, m, h, d or w, such as 2h`,
      `1:94 cleanup.stages.budget: "big" is not a size | Write a number with B, kB, MB, GB or TB, such as 50GB`,
    ],
  },
  {
    name: "plugins as map",
    text: `
plugins: {use: x}
---
dimg: a
from: x
`.slice(1),
    want: [`1:10 plugins: "plugins" takes a list of entries: found a map | Start each entry with \`- \``],
  },
  {
    name: "nameless among others",
    text: `
dimg: ~
from: x
---
dimg: b
from: y
`.slice(1),
    want: ["1:1 dimg: A dimg without a name must be the only one: this file has 2 | Give it a name"],
  },
  {
    name: "empty list of names",
    text: `
dimg: []
from: x
`.slice(1),
    want: ["1:7 dimg: The list of names is empty | Write a name, or ~ for the only image of the file"],
  },
  {
    name: "nothing in a list of names",
    text: `
dimg: [~, a]
from: x
`.slice(1),
    want: [`1:8 dimg[0]: "dimg[0]" has no value: it takes a text | Give it a value, or leave it out`],
  },
  {
    name: "map as name",
    text: `
dimg: {a: b}
from: x
`.slice(1),
    want: [`1:7 dimg: "dimg" takes a text or a list of texts: found a map`],
  },
  {
    name: "bad names, all at once",
    text: `
dimg: [MyApp, a/b, _x, über, a..b, '***', a___b]
from: x
`.slice(1),
    want: [
      `1:8 dimg[0]: "MyApp" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`my-app\`?`,
      `1:15 dimg[1]: "a/b" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`a-b\`?`,
      `1:20 dimg[2]: "_x" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`x\`?`,
      `1:24 dimg[3]: "über" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`uber\`?`,
      `1:30 dimg[4]: "a..b" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`a-b\`?`,
      `1:36 dimg[5]: "***" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\``,
      `1:43 dimg[6]: "a___b" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\` | Did you mean \`a-b\`?`,
    ],
  },
  {
    name: "empty artifact name",
    text: `
dimg: a
from: x
---
artifact: ''
from: y
`.slice(1),
    want: ["4:11 artifact: The value is empty"],
  },
  {
    name: "duplicate dimgs",
    text: `
dimg: a
from: x
---
dimg: a
from: x
`.slice(1),
    want: [`4:7 dimg: Two dimgs are named "a": on lines 1 and 4 | Rename one of them`],
  },
  {
    name: "duplicate in a list",
    text: `
dimg: [a, b, a]
from: x
`.slice(1),
    want: [`1:14 dimg[2]: Two dimgs are named "a": both on line 1 | Rename one of them`],
  },
  {
    name: "duplicate artifacts",
    text: `
dimg: a
from: x
---
artifact: b
from: y
---
artifact: b
from: y
`.slice(1),
    want: [`7:11 artifact: Two artifacts are named "b": on lines 4 and 7 | Rename one of them`],
  },
];

Deno.test("parseConfig() rejects documents and names", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});
