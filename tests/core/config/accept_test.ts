import assert from "node:assert/strict";
import type { Config, DockerInstructions, GitEntry, ImageRule } from "../../../core/contract/config.ts";
import { parseConfig } from "../../../core/config/parse.ts";
import { env, firstImage, read, withoutLines } from "./support.ts";

const D = "dimg: a\nfrom: x\n";

/** `rows` as steps: what the text must read as. */
function table<T>(
  name: string,
  see: (text: string) => T,
  rows: readonly (readonly [string, string, T])[],
): void {
  Deno.test(name, async (t) => {
    for (const [step, text, want] of rows) await t.step(step, () => assert.deepEqual(see(text), want));
  });
}

const names = (text: string) => read(text).images.map((image) => `${image.kind}:${image.name}`);
table("parseConfig() reads documents", names, [
  ["one dimg", D, ["dimg:a"]],
  ["byte order mark", "\uFEFF" + D, ["dimg:a"]],
  ["CRLF", D.replaceAll("\n", "\r\n"), ["dimg:a"]],
  ["no line end", "dimg: a\nfrom: x", ["dimg:a"]],
  [
    "separators with comments, empty documents",
    `# top\n--- # one\n${D}---\n# none\n--- \t# two\nartifact: B c\nfrom: y\n---\n`,
    [
      "dimg:a",
      "artifact:B c",
    ],
  ],
  ["end marker", `${D}...\n`, ["dimg:a"]],
  ["YAML directive", `%YAML 1.2\n---\n${D}`, ["dimg:a"]],
  ["list of names", "dimg: [a, b-c, d__e, f.g, 1.10]\nfrom: x\n", [
    "dimg:a",
    "dimg:b-c",
    "dimg:d__e",
    "dimg:f.g",
    "dimg:1.10",
  ]],
  ["nameless by ~", "dimg: ~\nfrom: x\n", ["dimg:"]],
  ["nameless by nothing", "dimg:\nfrom: x\n", ["dimg:"]],
  ["nameless by empty text", 'dimg: ""\nfrom: x\n', ["dimg:"]],
  ["nameless beside an artifact", "dimg: ~\nfrom: x\n---\nartifact: b\nfrom: x\n", ["dimg:", "artifact:b"]],
  ["dimg and artifact of one name", `${D}---\nartifact: a\nfrom: x\n`, ["dimg:a", "artifact:a"]],
  ["flow style", "{dimg: a, from: x}", ["dimg:a"]],
]);

const project = (text: string) => read(`${text}---\n${D}`).project;
table("parseConfig() reads the project document", project, [
  ["none", "", { plugins: [] }],
  ["name and repo", "project: shop\nrepo: r.example.com:5000/g/shop/\n", {
    name: "shop",
    repo: "r.example.com:5000/g/shop",
    plugins: [],
  }],
  ["layout directory", "repo: oci:./Images\n", { repo: "oci:./Images", plugins: [] }],
  [
    "plugins, with typed options",
    "plugins:\n- ./a.ts\n- use: npm:b\n  options: {n: 1, f: 1.5, t: true, s: '1', x: ~, l: [2]}\n",
    {
      plugins: [
        { use: "./a.ts", line: 2 },
        {
          use: "npm:b",
          options: { n: 1, f: 1.5, t: true, s: "1", x: null, l: [2] },
          line: 3,
          places: { n: [4, 13], f: [4, 19], t: [4, 27], s: [4, 36], x: [4, 44], l: [4, 50], "l[0]": [4, 54] },
        },
      ],
    },
  ],
  [
    "options from the environment",
    'plugins:\n- use: b\n  options:\n    n: ${{ env.PORT }}\n    s: "${{ env.PORT }}"\n',
    {
      plugins: [{ use: "b", options: { n: 8080, s: "8080" }, line: 2, places: { n: [4, 5], s: [5, 5] } }],
    },
  ],
  ["cleanup, empty", "cleanup:\n", { plugins: [] }],
  [
    "cleanup",
    "cleanup:\n  keep:\n  - keep-last\n  - use: keep-git-tags\n    options: {last: 3, maxAge: 30d}\n" +
    "  defaults: false\n  stages: {grace: 90m, budget: 1.5GB}\n",
    {
      plugins: [],
      cleanup: {
        keep: [
          { use: "keep-last", line: 3 },
          {
            use: "keep-git-tags",
            options: { last: 3, maxAge: "30d" },
            line: 4,
            places: { last: [5, 15], maxAge: [5, 24] },
          },
        ],
        defaults: false,
        stageGraceMs: 5_400_000,
        stageBudgetBytes: 1_500_000_000,
      },
    },
  ],
  ["cleanup without policies", "cleanup: { stages: { budget: 1000 } }\n", {
    plugins: [],
    cleanup: { keep: [], defaults: true, stageBudgetBytes: 1000 },
  }],
]);

const base = ({ base, fromCacheVersion }: ImageRule) => ({
  base,
  ...(fromCacheVersion && { fromCacheVersion }),
});
table("parseConfig() reads the base", (text) => base(firstImage(text)), [
  ["registry reference", `dimg: a\nfrom: r:5000/a/b:1.10@sha256:${"ab".repeat(32)}\n`, {
    base: { kind: "image", name: `r:5000/a/b:1.10@sha256:${"ab".repeat(32)}` },
  }],
  ["scratch", "dimg: a\nfrom: scratch\n", { base: { kind: "scratch" } }],
  ["layout", "dimg: a\nfrom: oci:./base:1\n", { base: { kind: "image", name: "oci:./base:1" } }],
  ["archive", "dimg: a\nfrom: archive:/tmp/my image.tar\n", {
    base: { kind: "image", name: "archive:/tmp/my image.tar" },
  }],
  ["dimg, defined later", "dimg: a\nfromDimg: b\n---\ndimg: b\nfrom: x\n", {
    base: { kind: "dimg", name: "b" },
  }],
  ["artifact", "dimg: a\nfromDimgArtifact: b\n---\nartifact: b\nfrom: x\n", {
    base: { kind: "artifact", name: "b" },
  }],
  ["numbers stay as written", "dimg: a\nfrom: x\nfromCacheVersion: 1.10\n", {
    base: { kind: "image", name: "x" },
    fromCacheVersion: "1.10",
  }],
]);

const expressions = (text: string) => {
  const { config, envUsed } = parseConfig(text, { file: "f", env });
  return { name: config.images[0]!.base.kind === "image" ? config.images[0]!.base.name : "", envUsed };
};
table("parseConfig() expands expressions", expressions, [
  ["one", "dimg: a\nfrom: ${{ env.TAG }}\n", { name: "1.20", envUsed: { TAG: "1.20" } }],
  ["several, tight and wide", "dimg: a\nfrom: ${{env.TAG}}-${{   env.PORT   }}\n", {
    name: "1.20-8080",
    envUsed: { TAG: "1.20", PORT: "8080" },
  }],
  ["empty is set", 'dimg: a\nfrom: x${{ env.EMPTY || "no" }}\n', { name: "x", envUsed: { EMPTY: "" } }],
  ["default", 'dimg: a\nfrom: ${{ env.NO || "d" }}\n', { name: "d", envUsed: { NO: undefined } }],
  ["default in single quotes", "dimg: a\nfrom: ${{ env.NO || 'c' }}\n", {
    name: "c",
    envUsed: { NO: undefined },
  }],
  ["bare defaults", "dimg: a\nfrom: ${{ env.NO || debian:12 }}-${{ env.NO || 1.10 }}\n", {
    name: "debian:12-1.10",
    envUsed: { NO: undefined },
  }],
  ["chain", "dimg: a\nfrom: ${{ env.NO || env.TAG || x }}\n", {
    name: "1.20",
    envUsed: { NO: undefined, TAG: "1.20" },
  }],
  ["braces in a default", 'dimg: a\nfrom: ${{ env.NO || "a:b" }}\n', {
    name: "a:b",
    envUsed: { NO: undefined },
  }],
  ["values are not expanded again", "dimg: a\nfrom: oci:$NO${{ env.TAG }}\n", {
    name: "oci:$NO1.20",
    envUsed: { TAG: "1.20" },
  }],
]);
Deno.test("parseConfig() leaves comments and other templates alone", () => {
  const text =
    `${D}# \${{ env.NO }}\nshell:\n  install:\n  - docker inspect -f '{{.Id}}' # x\n  - echo "$\${{ env.NO }}" \${NAME} $((1+1))\n`;
  assert.deepEqual(firstImage(text).shell.install?.commands, [
    "docker inspect -f '{{.Id}}'",
    'echo "${{ env.NO }}" ${NAME} $((1+1))',
  ]);
});

const shell = (body: string) => withoutLines(firstImage(`${D}shell:\n${body}`).shell);
table("parseConfig() reads shell", shell, [
  ["nothing", "", {}],
  ["text, list, block", "  beforeInstall: a\n  install: [b, c]\n  setup: |\n    d\n    e\n", {
    beforeInstall: { commands: ["a"] },
    install: { commands: ["b", "c"] },
    setup: { commands: ["d\ne\n"] },
  }],
  ["numbers and booleans", "  install: [true, 1.10, no]\n", {
    install: { commands: ["true", "1.10", "no"] },
  }],
  ["empty lists are no stages", "  install: []\n  setup:\n", {}],
  ["a stage version makes a stage", "  setupCacheVersion: 2\n", {
    setup: { commands: [], stageCacheVersion: "2" },
  }],
  ["a common version makes every stage", "  cacheVersion: 1.0\n  setup: a\n  setupCacheVersion: b\n", {
    beforeInstall: { commands: [], cacheVersion: "1.0" },
    install: { commands: [], cacheVersion: "1.0" },
    beforeSetup: { commands: [], cacheVersion: "1.0" },
    setup: { commands: ["a"], cacheVersion: "1.0", stageCacheVersion: "b" },
  }],
]);
Deno.test("parseConfig() reads buildArtifact of artifacts", () => {
  const [, b] = read(
    `${D}---\nartifact: b\nfrom: x\nshell: {buildArtifact: make, buildArtifactCacheVersion: 1}\nasLayers: True\n`,
  ).images;
  assert.deepEqual(withoutLines(b!.shell), { buildArtifact: { commands: ["make"], stageCacheVersion: "1" } });
  assert.equal(b!.asLayers, true);
});

const plain = { add: "/", includePaths: [], excludePaths: [], stageDependencies: {}, visibleAll: false };
const git = (entries: string) => firstImage(`${D}shell: {install: a, setup: b}\ngit:\n${entries}`).git;
table<readonly GitEntry[]>("parseConfig() reads git", git, [
  ["defaults", "- to: /app/\n", [{ ...plain, to: "/app", line: 5 }]],
  ["paths are normalised", "- {add: //web/./src/, to: /.//x}\n", [{
    ...plain,
    add: "/web/src",
    to: "/x",
    line: 5,
  }]],
  [
    "everything",
    "- add: /a\n  to: /b\n  includePaths: ./src/\n  excludePaths: [x, 'y/**/*.ts']\n  owner: 1000\n  group: www\n" +
    "  stageDependencies:\n    install: package.json\n    setup: ['src/**']\n    beforeSetup: []\n    visible: all\n",
    [{
      add: "/a",
      to: "/b",
      includePaths: ["src"],
      excludePaths: ["x", "y/**/*.ts"],
      owner: "1000",
      group: "www",
      stageDependencies: { install: ["package.json"], setup: ["src/**"] },
      visibleAll: true,
      line: 5,
    }],
  ],
  [
    "remote",
    [
      "- {to: /1, url: 'https://u@h/x.git', branch: main}",
      "- {to: /2, url: 'ssh://git@h:22/x', tag: 1.10}",
      "- {to: /3, url: 'git@h:g/x.git', commit: ABCDEF0123ABCDEF0123ABCDEF0123ABCDEF0123}",
      "- {to: /4, url: /srv/x}",
      "- {to: /5, url: 'file:///srv/x'}",
      '- {to: /6, url: "${{ env.URL }}"}',
      "",
    ].join("\n"),
    [
      {
        ...plain,
        to: "/1",
        line: 5,
        remote: { url: "https://u@h/x.git", ref: { kind: "branch", value: "main" } },
      },
      {
        ...plain,
        to: "/2",
        line: 6,
        remote: { url: "ssh://git@h:22/x", ref: { kind: "tag", value: "1.10" } },
      },
      {
        ...plain,
        to: "/3",
        line: 7,
        remote: { url: "git@h:g/x.git", ref: { kind: "commit", value: "abcdef0123".repeat(4) } },
      },
      { ...plain, to: "/4", line: 8, remote: { url: "/srv/x", ref: { kind: "head" } } },
      { ...plain, to: "/5", line: 9, remote: { url: "file:///srv/x", ref: { kind: "head" } } },
      { ...plain, to: "/6", line: 10, remote: { url: "https://example.com/x.git", ref: { kind: "head" } } },
    ],
  ],
  [
    "nested targets: the inner one wins",
    "- {to: /}\n- {to: /a/b, excludePaths: c}\n- {to: '/a/b/c*'}\n- {to: /a/b/c}\n- {to: /ab}\n",
    [
      { ...plain, to: "/", excludePaths: ["a/b", "ab"], line: 5 },
      { ...plain, to: "/a/b", excludePaths: ["c", "c[*]"], line: 6 },
      { ...plain, to: "/a/b/c*", line: 7 },
      { ...plain, to: "/a/b/c", line: 8 },
      { ...plain, to: "/ab", line: 9 },
    ],
  ],
  [
    "one target, files that are named apart",
    "- {to: /a, includePaths: [x, z/y]}\n- {to: /a, includePaths: [y, xx]}\n",
    [
      { ...plain, to: "/a", includePaths: ["x", "z/y"], line: 5 },
      { ...plain, to: "/a", includePaths: ["y", "xx"], line: 6 },
    ],
  ],
]);

Deno.test("parseConfig() reads imports and mounts", () => {
  const image = firstImage(`${D}git: [{to: /app}]
import:
- {artifact: b, add: /x/, before: install}
- {artifact: b, add: /x, to: /app/public, after: setup, includePaths: '*.js', owner: 0}
mount:
- {to: /t, from: tmp_dir}
- {to: /b/, from: build_dir}
- {to: /p, fromPath: /var//cache}
- {to: /l, from: build_dir, sharing: locked}
- {to: /s, from: build_dir, sharing: shared}
- {to: /dev/shm, from: memory, size: 1GiB}
---
artifact: b
from: y
`);
  const none = { includePaths: [], excludePaths: [] };
  assert.deepEqual(image.imports, [
    { ...none, artifact: "b", add: "/x", to: "/x", before: "install", line: 5 },
    {
      artifact: "b",
      add: "/x",
      to: "/app/public",
      after: "setup",
      includePaths: ["*.js"],
      excludePaths: [],
      owner: "0",
      line: 6,
    },
  ]);
  assert.deepEqual(image.git[0]!.excludePaths, ["public"]);
  assert.deepEqual(image.mounts, [
    { to: "/t", from: "tmp_dir", line: 8 },
    { to: "/b", from: "build_dir", line: 9 },
    { to: "/p", from: "path", path: "/var/cache", line: 10 },
    { to: "/l", from: "build_dir", sharing: "locked", line: 11 },
    { to: "/s", from: "build_dir", line: 12 },
    { to: "/dev/shm", from: "memory", size: 1 << 30, line: 13 },
  ]);
});

const docker = (body: string) => firstImage(`${D}docker:\n${body}`).docker;
table<DockerInstructions | undefined>("parseConfig() reads docker", docker, [
  ["nothing", "", undefined],
  ["exec forms", "  CMD: [node, 1]\n  ENTRYPOINT: [/run.sh]\n", {
    CMD: ["node", "1"],
    ENTRYPOINT: ["/run.sh"],
  }],
  ["shell forms", "  CMD: node x\n  ENTRYPOINT: exec y\n", {
    CMD: "node x",
    ENTRYPOINT: "exec y",
  }],
  ["an empty list resets, an empty text in a list stays", "  CMD: []\n  ENTRYPOINT: ['']\n", {
    CMD: [],
    ENTRYPOINT: [""],
  }],
  ["ports", "  EXPOSE: [8080, 53/UDP, 7000-7010, 080, 9-9/sctp, 8080/tcp, 1 2/udp]\n", {
    EXPOSE: ["8080/tcp", "53/udp", "7000-7010/tcp", "80/tcp", "9/sctp", "1/tcp 2/udp"],
  }],
  ["ports with variables, as written", "  EXPOSE: [$PORT, '${P:-1}/UDP', $A $B]\n", {
    EXPOSE: ["$PORT", "${P:-1}/UDP", "$A $B"],
  }],
  ["values with variables, as written", "  WORKDIR: $A//b\n  USER: '${U:-a b}'\n  STOPSIGNAL: $S\n", {
    WORKDIR: "$A//b",
    USER: "${U:-a b}",
    STOPSIGNAL: "$S",
  }],
  ["one port", "  EXPOSE: 8080\n", { EXPOSE: ["8080/tcp"] }],
  [
    "maps, sorted and as written",
    "  ENV: {Z: 1.10, A: yes, E: '', N: 0x1F}\n  LABEL: {b.c: 1, a: '${X}'}\n",
    {
      ENV: { A: "yes", E: "", N: "0x1F", Z: "1.10" },
      LABEL: { a: "${X}", "b.c": "1" },
    },
  ],
  ["lists of pairs", "  ENV: [A=b=c, D=]\n  LABEL: [x=y]\n", {
    ENV: { A: "b=c", D: "" },
    LABEL: { x: "y" },
  }],
  [
    "the rest",
    "  WORKDIR: /a/\n  USER: 1000:1000\n  VOLUME: /data/\n  ONBUILD: [RUN x]\n  STOPSIGNAL: TERM\n",
    {
      VOLUME: ["/data"],
      ONBUILD: ["RUN x"],
      WORKDIR: "/a",
      USER: "1000:1000",
      STOPSIGNAL: "SIGTERM",
    },
  ],
  ["variables in paths", "  WORKDIR: $HOME/app\n  VOLUME: ['${DATA}']\n", {
    VOLUME: ["${DATA}"],
    WORKDIR: "$HOME/app",
  }],
  ["signal numbers", "  STOPSIGNAL: 9\n", { STOPSIGNAL: "9" }],
  ["real-time signals", "  STOPSIGNAL: SIGRTMIN+3\n", { STOPSIGNAL: "SIGRTMIN+3" }],
  ["no health check", "  HEALTHCHECK: NONE\n", { HEALTHCHECK: { Test: ["NONE"] } }],
  ["health check as text", "  HEALTHCHECK: curl -f x\n", {
    HEALTHCHECK: { Test: ["CMD-SHELL", "curl -f x"] },
  }],
  ["health check as list", "  HEALTHCHECK: [curl, x]\n", { HEALTHCHECK: { Test: ["CMD", "curl", "x"] } }],
  [
    "health check as map",
    "  HEALTHCHECK: {cmd: [CMD-SHELL, x], interval: 1m30s, timeout: 500ms, startPeriod: 0, startInterval: 2s, retries: 3}\n",
    {
      HEALTHCHECK: {
        Test: ["CMD-SHELL", "x"],
        Interval: 90e9,
        Timeout: 5e8,
        StartPeriod: 0,
        StartInterval: 2e9,
        Retries: 3,
      },
    },
  ],
]);

const warnings = (text: string) => read(text).warnings;
table("parseConfig() warns", warnings, [
  ["about nothing", D, []],
  [
    "about files that nobody reads",
    `${D}git: [{to: /a, stageDependencies: {install: a, setup: b}}]\nshell: {setup: c}\n`,
    [
      "dappfile.yaml:3: files are declared for `install`, but `shell` has no install commands that could read them",
    ],
  ],
  ["once for a list of names", "dimg: [a, b]\nfrom: x\ngit: [{to: /a, stageDependencies: {install: a}}]\n", [
    "dappfile.yaml:3: files are declared for `install`, but `shell` has no install commands that could read them",
  ]],
  ["about passwords and `as`", `${D}git: [{to: /a, as: x, url: 'https://u:secret@h/x'}]\n`, [
    "dappfile.yaml:3: `as` has no effect and can be removed",
    "dappfile.yaml:3: the URL contains a password; prefer ssh or a git credential helper",
  ]],
  [
    "about artifacts that no dimg needs, with what only these need",
    `${D}import: [{artifact: used, add: /x, after: setup}]
---
artifact: used
fromDimgArtifact: below
---
artifact: below
from: x
---
artifact: test
fromDimgArtifact: apart
---
artifact: apart
from: x
`,
    [
      'dappfile.yaml:11: no dimg needs artifact "test", so it is never built: import from it, or take it out',
      'dappfile.yaml:14: no dimg needs artifact "apart", so it is never built: import from it, or take it out',
    ],
  ],
]);

Deno.test("parseConfig() follows anchors and merge keys", () => {
  const image = firstImage(`dimg: a
<<: &common {from: x, asLayers: true}
shell: &cmds
  install: &i [a, b]
  setup: *i
docker:
  <<: [{ENV: {A: 1}}, {ENV: {B: 1}, USER: u}]
  WORKDIR: /w
`);
  assert.deepEqual([image.base, image.asLayers], [{ kind: "image", name: "x" }, true]);
  assert.deepEqual(withoutLines(image.shell), {
    install: { commands: ["a", "b"] },
    setup: { commands: ["a", "b"] },
  });
  assert.deepEqual(image.docker, { ENV: { A: "1" }, USER: "u", WORKDIR: "/w" });
});

Deno.test("parseConfig() gives plain data with the lines of the file", () => {
  const text = `project: p\n---\n\n# c\nartifact: b\nfrom: x\n---\ndimg: [a, c]\nfrom: y\n`;
  const config: Config = read(text);
  assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
  assert.deepEqual(config.images.map(({ name, document, line }) => [name, document, line]), [
    ["b", 2, 5],
    ["a", 3, 8],
    ["c", 3, 8],
  ]);
  assert.equal(config.file, "dappfile.yaml");
});
