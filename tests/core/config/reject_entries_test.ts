import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "import without anything",
    text: `
dimg: a
from: x
import: [{}]
`.slice(1),
    want: [
      "3:10 import[0]: `artifact` is missing | Name the artifact that the files come from",
      "3:10 import[0]: `add` is missing | Add the absolute path in the artifact",
      "3:10 import[0]: `before` or `after` is missing | Say when the files come, such as `after: setup`",
    ],
  },
  {
    name: "import before and after",
    text: `
dimg: a
from: x
import: [{artifact: b, add: /x, before: setup, after: install}]
---
artifact: b
from: x
`.slice(1),
    want: ["3:48 import[0].after: `before` and `after` exclude each other | Keep one of them"],
  },
  {
    name: "import at another stage",
    text: `
dimg: a
from: x
import: [{artifact: b, add: /x, before: beforeSetup}]
---
artifact: b
from: x
`.slice(1),
    want: [`3:41 import[0].before: "beforeSetup" is not allowed: it must be \`install\` or \`setup\``],
  },
  {
    name: "import of a relative path",
    text: `
dimg: a
from: x
import: [{artifact: b, add: x, to: y, after: setup}]
---
artifact: b
from: x
`.slice(1),
    want: [
      `3:29 import[0].add: Path "x" is relative: it must be absolute | Did you mean "/x"?`,
      `3:36 import[0].to: Path "y" is relative: it must be absolute | Did you mean "/y"?`,
    ],
  },
  {
    name: "mount without anything",
    text: `
dimg: a
from: x
mount: [{}]
`.slice(1),
    want: [
      "3:9 mount[0]: `to` is missing | Add the absolute path at which the commands see the directory",
      "3:9 mount[0]: `from` or `fromPath` is missing | Add `from: tmp_dir`, `from: build_dir`, `from: memory` or `fromPath: /path`",
    ],
  },
  {
    name: "mount of two sources",
    text: `
dimg: a
from: x
mount: [{to: /x, from: tmp_dir, fromPath: /y}]
`.slice(1),
    want: ["3:33 mount[0].fromPath: `from` and `fromPath` exclude each other | Keep one of them"],
  },
  {
    name: "mount of an unknown source",
    text: `
dimg: a
from: x
mount: [{to: /x, from: tmpdir}, {to: /y, from: /cache}]
`.slice(1),
    want: [
      `3:24 mount[0].from: "tmpdir" is not allowed: it must be \`tmp_dir\` or \`build_dir\` or \`memory\` | Did you mean \`tmp_dir\`?`,
      `3:48 mount[1].from: "/cache" is not allowed: it must be \`tmp_dir\` or \`build_dir\` or \`memory\``,
    ],
  },
  {
    name: "mount that is not kept and shared all the same",
    text: `
dimg: a
from: x
mount: [{to: /x, from: tmp_dir, sharing: locked}, {to: /y, from: build_dir, sharing: lockd}]
`.slice(1),
    want: [
      "3:33 mount[0].sharing: `sharing` is for a `build_dir` | Leave it out",
      `3:86 mount[1].sharing: "lockd" is not allowed: it must be \`shared\` or \`locked\` | Did you mean \`locked\`?`,
    ],
  },
  {
    name: "mount in memory without a size, and sizes that are none",
    text: `
dimg: a
from: x
mount:
- {to: /a, from: memory}
- {to: /b, from: memory, size: much}
- {to: /c, from: memory, size: 0}
- {to: /d, from: memory, size: 999999999999TiB}
- {to: /e, from: tmp_dir, size: 1GiB}
`.slice(1),
    want: [
      "4:3 mount[0]: `size` is missing | Add how much it holds, such as `size: 1GiB`",
      `5:32 mount[1].size: "much" is not a size | Write a number with B, kB, MB, GB or TB, such as 50GB`,
      "6:32 mount[2].size: That is no size of a memory | Write one such as `1GiB`",
      "7:32 mount[3].size: That is no size of a memory | Write one such as `1GiB`",
      "8:27 mount[4].size: `size` is for `memory` | Leave it out",
    ],
  },
  {
    name: "mount on the root",
    text: `
dimg: a
from: x
mount: [{to: /, from: tmp_dir}]
`.slice(1),
    want: ["3:14 mount[0].to: Nothing can be mounted on `/` | Name a directory below it"],
  },
  {
    name: "mount twice",
    text: `
dimg: a
from: x
mount:
- {to: /x, from: tmp_dir}
- {to: /x/, from: build_dir}
`.slice(1),
    want: [`5:8 mount[1].to: "/x" is mounted twice: first on line 4 | Remove one of the mounts`],
  },
  {
    name: "mount of relative paths",
    text: `
dimg: a
from: x
mount: [{to: x, fromPath: y}, {to: /x, fromPath: ~/.npm}]
`.slice(1),
    want: [
      `3:14 mount[0].to: Path "x" is relative: it must be absolute | Did you mean "/x"?`,
      `3:27 mount[0].fromPath: Path "y" is relative: it must be absolute | Did you mean "/y"?`,
      `3:50 mount[1].fromPath: Path "~/.npm" is relative: it must be absolute | "~" stands for no directory here: write the whole path`,
    ],
  },
  {
    name: "map for a command",
    text: `
dimg: a
from: x
shell:
  install:
  - echo a: b
  - apt-get update
`.slice(1),
    want: [
      `5:5 shell.install[0]: "install[0]" takes shell commands: found a map, because the text contains \`: \` | Put quotes around the command: 'echo a: b'`,
    ],
  },
  {
    name: "map for the commands",
    text: `
dimg: a
from: x
shell:
  install:
    run: ls
`.slice(1),
    want: [
      `5:5 shell.install: "install" takes shell commands: found a map, because the text contains \`: \` | Put quotes around the command: 'run: ls'`,
    ],
  },
  {
    name: "nested list of commands",
    text: `
dimg: a
from: x
shell: {install: [[ls]]}
`.slice(1),
    want: [`3:19 shell.install[0]: "install[0]" takes a text: found a list`],
  },
  {
    name: "nothing for a command",
    text: `
dimg: a
from: x
shell:
  install:
  - ls
  -
`.slice(1),
    want: [
      `6:4 shell.install[1]: "install[1]" has no value: it takes a text | Give it a value, or leave it out`,
    ],
  },
  {
    name: "empty commands",
    text: `
dimg: a
from: x
shell: {install: '', setup: [' ']}
`.slice(1),
    want: ["3:18 shell.install: The value is empty", "3:30 shell.setup[0]: The value is empty"],
  },
  {
    name: "buildArtifact in a dimg",
    text: `
dimg: a
from: x
shell: {buildArtifact: ls, buildArtifactCacheVersion: 1}
`.slice(1),
    want: [
      `3:9 shell.buildArtifact: "buildArtifact" works in artifacts only: this is a dimg | Use \`setup\`, or make this document an artifact`,
      `3:28 shell.buildArtifactCacheVersion: "buildArtifactCacheVersion" works in artifacts only: this is a dimg | Use \`setupCacheVersion\`, or make this document an artifact`,
    ],
  },
  {
    name: "shell as text",
    text: `
dimg: a
from: x
shell: ls
`.slice(1),
    want: [
      `3:8 shell: "shell" takes a map: found the text "ls" | Write \`key: value\` lines below it, with more indentation`,
    ],
  },
  {
    name: "stage outside shell",
    text: `
dimg: a
from: x
install: ls
CMD: x
EXPOSE: 80
`.slice(1),
    want: [
      `3:1 install: Unknown key "install" in a document with \`dimg\` | \`install\` belongs under \`shell\``,
      `4:1 CMD: Unknown key "CMD" in a document with \`dimg\` | \`CMD\` belongs under \`docker\``,
      `5:1 EXPOSE: Unknown key "EXPOSE" in a document with \`dimg\` | \`EXPOSE\` belongs under \`docker\``,
    ],
  },
  {
    name: "ansible and chef",
    text: `
dimg: a
from: x
ansible: {}
chef: {}
`.slice(1),
    want: [
      `3:1 ansible: "ansible" is not supported | Use \`shell\``,
      `4:1 chef: "chef" is not supported | Use \`shell\``,
    ],
  },
  {
    name: "docker in an artifact",
    text: `
dimg: a
from: x
---
artifact: b
from: x
docker: {CMD: x}
`.slice(1),
    want: [
      `6:1 docker: "docker" has no place in an artifact: an artifact is never run or published | Move it to the dimg`,
    ],
  },
  {
    name: "asLayers",
    text: `
dimg: a
from: x
asLayers: yes
`.slice(1),
    want: [`3:11 asLayers: "yes" is neither true nor false | Did you mean \`true\`?`],
  },
  {
    name: "asLayers as number",
    text: `
dimg: a
from: x
asLayers: 2
`.slice(1),
    want: [`3:11 asLayers: "2" is neither true nor false`],
  },
  {
    name: "empty cache version",
    text: `
dimg: a
from: x
fromCacheVersion: ''
shell: {cacheVersion: }
`.slice(1),
    want: [
      "3:19 fromCacheVersion: The value is empty",
      `4:9 shell.cacheVersion: "cacheVersion" has no value: it takes a text | Give it a value, or leave it out`,
    ],
  },
];

Deno.test("parseConfig() rejects imports, mounts and commands", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});
