import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const cases: readonly Reject[] = [
  {
    name: "no target",
    text: `
dimg: a
from: x
git: [{add: /}]
`.slice(1),
    want: ["3:7 git[0]: `to` is missing | Add the absolute path in the image, such as `to: /app`"],
  },
  {
    name: "relative target",
    text: `
dimg: a
from: x
git: [{to: app}]
`.slice(1),
    want: [`3:12 git[0].to: Path "app" is relative: it must be absolute | Did you mean "/app"?`],
  },
  {
    name: "dotted target",
    text: `
dimg: a
from: x
git: [{to: ./app}]
`.slice(1),
    want: [`3:12 git[0].to: Path "./app" is relative: it must be absolute | Did you mean "/app"?`],
  },
  {
    name: "climbing paths",
    text: `
dimg: a
from: x
git: [{add: /a/../b, to: ../x}]
`.slice(1),
    want: [
      `3:13 git[0].add: Path "/a/../b" contains "..": write where it leads`,
      `3:26 git[0].to: Path "../x" is relative: it must be absolute`,
    ],
  },
  {
    name: "empty target",
    text: `
dimg: a
from: x
git: [{to: ''}]
`.slice(1),
    want: [`3:12 git[0].to: The path is empty | Write "/" for the whole tree`],
  },
  {
    name: "patterns",
    text: `
dimg: a
from: x
git: [{to: /x, includePaths: [/a, ../x, '!b', '', ., a/../b], excludePaths: [/, 'a\\']}]
`.slice(1),
    want: [
      `3:31 git[0].includePaths[0]: Pattern "/a" starts with "/": patterns are relative to \`add\` | Did you mean "a"?`,
      `3:35 git[0].includePaths[1]: Pattern "../x" contains "..": patterns cannot leave \`add\``,
      `3:41 git[0].includePaths[2]: Pattern "!b" starts with "!" | Put exceptions under excludePaths`,
      `3:47 git[0].includePaths[3]: The pattern is empty | Write "**/*" for all files`,
      `3:51 git[0].includePaths[4]: Pattern "." matches nothing | Write "**/*" for all files`,
      `3:54 git[0].includePaths[5]: Pattern "a/../b" contains "..": patterns cannot leave \`add\``,
      `3:78 git[0].excludePaths[0]: Pattern "/" starts with "/": patterns are relative to \`add\` | Did you mean "**/*"?`,
      `3:81 git[0].excludePaths[1]: Cannot use pattern "a\\": it ends with a backslash`,
    ],
  },
  {
    name: "ref without url",
    text: `
dimg: a
from: x
git: [{to: /x, branch: main}]
`.slice(1),
    want: [
      "3:16 git[0].branch: `branch` needs `url`: the project's own repository is taken at its current commit | Add `url`, or leave this key out",
    ],
  },
  {
    name: "two refs",
    text: `
dimg: a
from: x
git: [{to: /x, url: /srv/x, branch: main, tag: v1}]
`.slice(1),
    want: ["3:43 git[0].tag: `branch` and `tag` exclude each other | Keep the one that is meant"],
  },
  {
    name: "short commit",
    text: `
dimg: a
from: x
git: [{to: /x, url: /srv/x, commit: 12ab}]
`.slice(1),
    want: [
      `3:37 git[0].commit: "12ab" is not a full commit id: 40 or 64 hex digits are wanted | Print it with: git rev-parse NAME`,
    ],
  },
  {
    name: "branch names git does not allow",
    text: `
dimg: a
from: x
git:
- {to: /x, url: /srv/x, branch: --upload-pack=x}
- {to: /y, url: /srv/x, branch: a..b}
- {to: /z, url: /srv/x, tag: 'a b'}
`.slice(1),
    want: [
      `4:33 git[0].branch: "--upload-pack=x" is not a name of a branch or tag: it starts with "-"`,
      `5:33 git[1].branch: "a..b" is not a name of a branch or tag: it contains ".."`,
      `6:30 git[2].tag: "a b" is not a name of a branch or tag: it contains " "`,
    ],
  },
  {
    name: "urls",
    text: `
dimg: a
from: x
git:
- {to: /1, url: 'ftp://h/x'}
- {to: /2, url: 'https://h'}
- {to: /3, url: ../x}
- {to: /4, url: 'ext::sh -c x'}
- {to: /5, url: 'ext::x'}
- {to: /6, url: 'ssh://-oProxyCommand=x/y'}
- {to: /7, url: '-x:y'}
- {to: /8, url: ''}
- {to: /9, url: 'file://h/x'}
`.slice(1),
    want: [
      `4:17 git[0].url: "ftp" is not a way to reach a git repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path`,
      "5:17 git[1].url: The URL names no repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path",
      `6:17 git[2].url: "../x" is not the address of a git repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path`,
      `7:17 git[3].url: The URL contains white space`,
      `8:17 git[4].url: "ext::x" is not the address of a git repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path`,
      "9:17 git[5].url: The URL names no repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path",
      `10:17 git[6].url: "-x:y" is not the address of a git repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path`,
      `11:17 git[7].url: "" is not the address of a git repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path`,
      "12:17 git[8].url: The URL names no repository | Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path",
    ],
  },
  {
    name: "owner with group",
    text: `
dimg: a
from: x
git: [{to: /x, owner: 'a:b', group: ''}]
`.slice(1),
    want: [
      `3:23 git[0].owner: "a:b" is not a name or number | \`owner\` and \`group\` are two keys`,
      `3:37 git[0].group: "" is not a name or number`,
    ],
  },
  {
    name: "beforeInstall files",
    text: `
dimg: a
from: x
git: [{to: /x, stageDependencies: {beforeInstall: a}}]
`.slice(1),
    want: [
      `3:36 git[0].stageDependencies.beforeInstall: "beforeInstall" has no files: it runs before anything comes from git | Move its commands to \`install\`, or leave this key out`,
    ],
  },
  {
    name: "buildArtifact files in a dimg",
    text: `
dimg: a
from: x
git: [{to: /x, stageDependencies: {buildArtifact: a}}]
`.slice(1),
    want: [
      `3:36 git[0].stageDependencies.buildArtifact: "buildArtifact" works in artifacts only: this is a dimg | Use \`setup\`, or make this document an artifact`,
    ],
  },
  {
    name: "visible",
    text: `
dimg: a
from: x
git: [{to: /x, stageDependencies: {visible: some}}]
`.slice(1),
    want: [`3:45 git[0].stageDependencies.visible: "some" is not allowed: it must be \`all\``],
  },
  {
    name: "stage outside stageDependencies",
    text: `
dimg: a
from: x
git: [{to: /x, install: a}]
`.slice(1),
    want: [
      `3:16 git[0].install: Unknown key "install" in git[0] | \`install\` belongs under \`stageDependencies\``,
    ],
  },
  {
    name: "one map instead of a list",
    text: `
dimg: a
from: x
git: {to: /x}
`.slice(1),
    want: [`3:6 git: "git" takes a list of entries: found a map | Start each entry with \`- \``],
  },
  {
    name: "text instead of an entry",
    text: `
dimg: a
from: x
git: [/x]
`.slice(1),
    want: [
      `3:7 git[0]: "git[0]" takes a map: found the text "/x" | Write \`key: value\` lines below it, with more indentation`,
    ],
  },
  {
    name: "same target twice",
    text: `
dimg: a
from: x
git:
- to: /app
- to: /app/
`.slice(1),
    want: [
      `5:7 git[1].to: Two entries deliver to "/app": git[0] (line 4) and git[1] (line 5) | Give one of them another \`to\`, or name different files in the includePaths of both`,
    ],
  },
  {
    name: "same target, includes not disjoint",
    text: `
dimg: a
from: x
git:
- {to: /app, includePaths: [a, b]}
- {to: /app, includePaths: [b/c]}
- {to: /app, includePaths: ['*.md']}
`.slice(1),
    want: [
      `5:8 git[1].to: Two entries deliver to "/app": git[0] (line 4) and git[1] (line 5) | Give one of them another \`to\`, or name different files in the includePaths of both`,
      `6:8 git[2].to: Two entries deliver to "/app": git[0] (line 4) and git[2] (line 6) | Give one of them another \`to\`, or name different files in the includePaths of both`,
    ],
  },
  {
    name: "same target as an import",
    text: `
dimg: a
from: x
git: [{to: /app}]
import: [{artifact: b, add: /app, after: setup}]
---
artifact: b
from: x
`.slice(1),
    want: [
      `4:10 import[0]: Two entries deliver to "/app": git[0] (line 3) and import[0] (line 4) | Give one of them another \`to\`, or name different files in the includePaths of both`,
    ],
  },
];

Deno.test("parseConfig() rejects git entries", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});
