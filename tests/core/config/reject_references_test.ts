import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "no base",
    text: `
dimg: a
`.slice(1),
    want: [
      "1:1: The base image is missing | Add one of `from`, `fromDimg`, `fromDimgArtifact` and `dockerfile`",
    ],
  },
  {
    name: "empty base",
    text: `
dimg: a
from:
`.slice(1),
    want: [`2:1 from: "from" has no value: it takes a text | Give it a value, or leave it out`],
  },
  {
    name: "blank base",
    text: `
dimg: a
from: ' '
`.slice(1),
    want: ["2:7 from: The image name is empty | Name a base image, or write `scratch`"],
  },
  {
    name: "two bases",
    text: `
dimg: a
from: x
fromDimg: b
---
dimg: b
from: x
`.slice(1),
    want: [
      "3:1 fromDimg: There can be only one base: found `from` (line 2) and `fromDimg` (line 3) | Keep one of them",
    ],
  },
  {
    name: "three bases",
    text: `
dimg: a
fromDimgArtifact: c
from: x
fromDimg: b
---
dimg: b
from: x
---
artifact: c
from: x
`.slice(1),
    want: [
      "4:1 fromDimg: There can be only one base: found `from` (line 3) and `fromDimg` (line 4) and `fromDimgArtifact` (line 2) | Keep one of them",
    ],
  },
  {
    name: "base as URL",
    text: `
dimg: a
from: docker://debian:12
`.slice(1),
    want: [`2:7 from: Image name "docker://debian:12" is a URL | Did you mean "debian:12"?`],
  },
  {
    name: "base with a space",
    text: `
dimg: a
from: debian 12
`.slice(1),
    want: [`2:7 from: Image name "debian 12" contains white space`],
  },
  {
    name: "unknown dimg",
    text: `
dimg: app
fromDimg: bsae
---
dimg: base
from: x
`.slice(1),
    want: [`2:11 fromDimg: There is no dimg named "bsae" | Did you mean \`base\`?`],
  },
  {
    name: "unknown dimg without a near one",
    text: `
dimg: app
fromDimg: zebra
`.slice(1),
    want: [`2:11 fromDimg: There is no dimg named "zebra" | Known dimgs: app`],
  },
  {
    name: "artifact as dimg",
    text: `
dimg: app
fromDimg: b
---
artifact: b
from: x
`.slice(1),
    want: [`2:11 fromDimg: There is no dimg named "b" | \`b\` is an artifact: use \`fromDimgArtifact\``],
  },
  {
    name: "dimg as artifact",
    text: `
dimg: app
fromDimgArtifact: b
---
dimg: b
from: x
`.slice(1),
    want: [`2:19 fromDimgArtifact: There is no artifact named "b" | \`b\` is a dimg: use \`fromDimg\``],
  },
  {
    name: "unknown artifact as base",
    text: `
dimg: app
fromDimgArtifact: b
`.slice(1),
    want: [`2:19 fromDimgArtifact: There is no artifact named "b" | This file has no artifacts`],
  },
  {
    name: "itself",
    text: `
dimg: a
fromDimg: a
`.slice(1),
    want: [`2:11 fromDimg: "a" needs itself | Name another image`],
  },
  {
    name: "cycle of dimgs",
    text: `
dimg: a
fromDimg: b
---
dimg: b
fromDimg: c
---
dimg: c
fromDimg: a
`.slice(1),
    want: [
      "2:11 fromDimg: Images need each other in a circle: a (line 2) -> b (line 5) -> c (line 8) -> a | Take one of these references out",
    ],
  },
  {
    name: "cycle through an import, and a self import",
    text: `
dimg: a
fromDimgArtifact: b
---
artifact: b
from: x
import: [{artifact: c, add: /x, after: setup}]
---
artifact: c
from: x
import:
- {artifact: b, add: /x, after: setup}
- {artifact: c, add: /y, after: setup}
`.slice(1),
    want: [
      "6:21 import[0].artifact: Images need each other in a circle: b (line 6) -> c (line 11) -> b | Take one of these references out",
      `12:14 import[1].artifact: "c" needs itself | Name another image`,
    ],
  },
  {
    name: "unknown artifact to import",
    text: `
dimg: a
from: x
import: [{artifact: asets, add: /x, after: setup}]
---
artifact: assets
from: x
`.slice(1),
    want: [`3:21 import[0].artifact: There is no artifact named "asets" | Did you mean \`assets\`?`],
  },
  {
    name: "dimg to import",
    text: `
dimg: a
from: x
import: [{artifact: b, add: /x, after: setup}]
---
dimg: b
from: x
`.slice(1),
    want: [
      `3:21 import[0].artifact: There is no artifact named "b" | \`b\` is a dimg; files can be imported from artifacts only`,
    ],
  },
  {
    name: "list of dimgs says it once",
    text: `
dimg: [a, b]
fromDimg: c
`.slice(1),
    want: [`2:11 fromDimg: There is no dimg named "c" | Known dimgs: a, b`],
  },
];

Deno.test("parseConfig() rejects bases and references", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});

Deno.test("parseConfig() tells imports on one line apart, also beside one that cannot be read", () => {
  const text =
    "dimg: a\nfrom: x\nimport: [x, {artifact: b, add: /b, after: setup}, {artifact: c, add: /c, after: setup}]\n" +
    "---\nartifact: b\nfrom: x\n";
  assert.deepEqual(problemsOf(text).slice(1), [
    '3:62 import[2].artifact: There is no artifact named "c" | Known artifacts: b',
  ]);
});
