import assert from "node:assert/strict";
import { migrate, type MigratedProject } from "../../cli/migrate/migrate.ts";
import { parseDappfile } from "../../mod.ts";
import { withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

const cli = new URL("../../cli.ts", import.meta.url).pathname;

function project(files: Readonly<Record<string, string>>): MigratedProject {
  return {
    name: "shop",
    read: (path) => Promise.resolve(files[path]),
    list: (dir) =>
      Promise.resolve(
        Object.keys(files).filter((path) => dir === "" || path.startsWith(`${dir}/`)).map((path) =>
          path.slice(dir === "" ? 0 : dir.length + 1).split("/")[0]!
        ),
      ),
  };
}

const WERF = `# the shop
project: shop
configVersion: 1
deploy:
  helmRelease: shop
---
image: backend
from: node:{{ env "NODE" "22" }}
git:
- add: /
  to: /app
  excludePaths: [docs]
  stageDependencies: { install: [package.json] }
shell:
  beforeInstall:
  - |
    echo one
    echo two
  install: cd /app && npm ci
docker: { WORKDIR: /app, CMD: "node main.js", EXPOSE: 8080, exactValues: true }
import:
- { image: assets, add: /dist, to: /app/public, after: setup }
{{ if .Env }}
dependencies:
- image: assets
{{ else }}
fromLatest: false
{{ end }}
---
image: assets
from: nginx
ansible:
  install:
  - apt: { name: curl }
---
artifact: tools
fromImage: backend
final: false
`;

const DOCKERFILE = `# syntax=docker/dockerfile:1
FROM node:22 AS build
WORKDIR /app
COPY package*.json ./
RUN npm ci
COPY . .
RUN npm run build; echo done
CMD ["unused"]

# runtime
FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/dist/main.js ./
COPY src ./src
RUN apt-get update && \\
    apt-get install -y curl
EXPOSE 8080
USER node
CMD ["node", "main.js"]
`;

const RUBY = `# old
dimg_group do
  docker.from 'ubuntu:16.04', cache_version: '2'
  git do
    add '/' do
      to '/app'
      stage_dependencies.setup 'package.json',
                               # and what it was made of
                               'package-lock.json'
      stage_dependencies do
        install 'Gemfile'
      end
    end
  end
  artifact do
    shell.build_artifact.run 'make'
    export '/out' do
      to '/app/out'
      after :setup
    end
  end
  dimg 'app' do
    docker do
      workdir '/app'
      env A: 'b', 'C' => 'd'
      cmd ['run', 'it']
      expose '80', '443'
    end
    shell.before_install do
      run 'apt-get update',
          "apt-get install -y #{packages}"
      run 'echo hi'
      run [
        'apt-get install',
        'make', # for all
      ].join(' ')
    end
    chef do
      recipe 'nginx'
    end
    mount '/cache' do
      from :build_dir
    end
  end
  if ENV['X']
    dimg 'other'
  end
end
`;

Deno.test("werf.yaml: images, templates of variables, imports of images, and what a dappfile has not", async () => {
  const { text, remarks } = await migrate("werf", [], project({ "werf.yaml": WERF }));
  const { images, project: head } = await parseDappfile(text);
  assert.equal(head.name, "shop");
  assert.deepEqual(images.map(({ kind, name }) => `${kind} ${name}`), [
    "dimg backend",
    "dimg assets",
    "artifact tools",
    "artifact files-of-assets",
  ]);
  assert.match(text, /^# werf\.yaml:1: the shop$/m);
  assert.match(text, /^from: node:\$\{\{ env\.NODE \|\| "22" \}\}$/m);
  assert.match(text, /^ {6}visible: all$/m);
  assert.deepEqual(images[0]!.shell.beforeInstall?.commands, ["echo one\necho two\n"]);
  assert.deepEqual(remarks.map(({ line, end }) => [line, end]), [
    ...[[4, 5], [20, 20], [23, 23], [24, 25], [26, 26], [27, 27], [28, 28], [32, 34]],
  ]);
});

Deno.test("werf.yaml: paths of Dockerfiles, and one remark for lines of a template", async () => {
  const lines = ["project: shop", "---", "image: app", "dockerfile: ./docker/Dockerfile", "context: ./"];
  const template = ['{{ define "x" }}', "a: b", "c: d", "{{ end }}"];
  const { text, remarks } = await migrate(
    "werf",
    [],
    project({ "werf.yaml": [...lines, ...template].join("\n") }),
  );
  assert.match(text, /^dimg: app\ndockerfile: docker\/Dockerfile\n(?!context)/m);
  assert.deepEqual(remarks.map(({ line, end }) => [line, end]), [[6, 6], [7, 8], [9, 9]]);
});

Deno.test("a Dockerfile becomes documents of its own where the image stays the same", async () => {
  const files = {
    Dockerfile: DOCKERFILE,
    "src/main.js": "",
    "package.json": "",
    ".dockerignore": "node_modules\n",
  };
  const { text, remarks } = await migrate("dockerfile", [], project(files));
  const { images: [app, build] } = await parseDappfile(text).then(({ images }) => ({
    images: images.toReversed(),
  }));
  assert.equal(build!.kind, "artifact");
  assert.match(text, /install:\n {8}- package\*\.json\n {6}beforeSetup:\n {8}- "\*\*\/\*"/);
  assert.match(text, /- cd \/app && npm ci$/m);
  assert.match(text, /- cd \/app && sh -c 'npm run build; echo done'$/m);
  assert.match(text, /NODE_ENV=production sh -c 'apt-get update && apt-get install -y curl'$/m);
  assert.match(text, /- node_modules$/m);
  assert.equal(app!.imports[0]!.to, "/app/main.js");
  assert.deepEqual(remarks.map(({ line }) => line), [6, 8]);
});

const KEPT: Readonly<Record<string, readonly [string, number]>> = {
  "ARG of which a build gives the value": ["FROM debian\nARG V\nRUN echo $V\n", 2],
  "ARG before FROM of which a build gives the value": ["ARG V\nFROM debian:$V\n", 1],
  "ARG of which BuildKit gives the value": ["ARG TARGETARCH=arm64\nFROM debian:$TARGETARCH\n", 1],
  "a variable that the base image may set": ["ARG V=1\nFROM debian\nARG V\nLABEL v=$V\n", 4],
  "a stage upon one that has arguments": ["FROM debian AS a\nARG V=1\nFROM a\n", 3],
  "a relative VOLUME": ["FROM debian\nVOLUME /v 4\n", 2],
  "WORKDIR where no shell is": ["FROM scratch\nWORKDIR /a\n", 2],
  "what a dappfile takes for an expression": ["FROM debian\nRUN echo '${{ env.A }}'\n", 2],
  "RUN --mount": ["FROM debian\nRUN --mount=type=cache,target=/x true\n", 2],
  "a variable in FROM": ["FROM debian:$V\n", 1],
  "USER before RUN": ["FROM debian\nUSER app\nRUN id\n", 3],
  "COPY with an owner whose group the image knows": ["FROM debian\nWORKDIR /a\nCOPY --chown=app x .\n", 3],
  "COPY with modes": ["FROM debian\nWORKDIR /a\nCOPY --chmod=700 x .\n", 3],
  "COPY over what another brought": ["FROM debian\nCOPY --from=0 /a /a/\nCOPY b /a/b\n", 2],
  "COPY over the files of a stage": ["FROM x AS x\nFROM debian\nCOPY --from=x /a/ /a/\nCOPY b /a/b\n", 4],
  "here-document": ["FROM debian\nRUN <<E\ntrue\nE\n", 2],
  "ADD": ["FROM debian\nADD x /x\n", 2],
  "a relative WORKDIR": ["FROM debian\nWORKDIR app\n", 2],
  "turns": [`FROM debian\nWORKDIR /a\n${"COPY a b\nRUN true\n".repeat(4)}`, 10],
  "a syntax of its own": ["# syntax=example.com/other\nFROM debian\n", 1],
};

Deno.test("a Dockerfile's arguments: FROM takes the values, stages that declare them again do too", async () => {
  const Dockerfile = `ARG JAVA=17
ARG TAG=\${JAVA}-jre
FROM maven:\$JAVA AS build
ARG JAVA=21
RUN mvn package
FROM eclipse-temurin:\${TAG}
ARG JAVA TAG
RUN java -version
`.replaceAll("\\$", "$");
  const { text, remarks } = await migrate("dockerfile", [], project({ Dockerfile }));
  assert.match(text, /^artifact: build\nfrom: maven:17$/m);
  assert.match(text, /^ {4}- JAVA=\$\{JAVA-21\} sh -c 'mvn package'$/m);
  assert.match(text, /^dimg: app\nfrom: eclipse-temurin:17-jre$/m);
  assert.match(text, /^ {4}- JAVA=\$\{JAVA-17\} TAG=\$\{TAG-17-jre\} sh -c 'java -version'$/m);
  assert.deepEqual(remarks.map(({ line, end }) => [line, end]), [[1, 2], [4, 4], [7, 7]]);
});

Deno.test("a Dockerfile that stays one keeps the values of its arguments", async () => {
  const Dockerfile = "ARG V=1\nARG W X\nFROM debian:$V\nARG V\nARG Y=2 Z\nADD x /x\n";
  const { text } = await migrate("dockerfile", [], project({ Dockerfile }));
  const args = ["W", "X", "Z"].map((name) => `  ${name}: \${{ env.${name} || "" }}`);
  assert.match(text, new RegExp(`^args:\n${args.map(RegExp.escape).join("\n")}\n\n`, "m"));
});

Deno.test("a Dockerfile's HEALTHCHECK: times of nothing are not said", async () => {
  const Dockerfile = "FROM debian\nHEALTHCHECK --interval=0s --retries=0 --timeout=5s CMD a  b\n";
  const { text } = await migrate("dockerfile", [], project({ Dockerfile }));
  assert.match(text, /HEALTHCHECK:\n {4}test: a {2}b\n {4}timeout: 5s\n$/);
});

Deno.test("a Dockerfile for a base without a shell: COPY makes the directories that WORKDIR names", async () => {
  const Dockerfile = "FROM golang AS b\nRUN go build -o /s.bin\n\n" +
    "FROM scratch\nWORKDIR /app\nCOPY --from=b /s.bin ./\nCOPY conf ./conf\n";
  const { text } = await migrate("dockerfile", [], project({ Dockerfile, "conf/a": "" }));
  assert.match(text, /^dimg: app\nfrom: scratch$/m);
  assert.doesNotMatch(text, /mkdir/);
});

Deno.test("a Dockerfile's COPY says where owners and modes of directories are other ones", async () => {
  const Dockerfile = "FROM debian AS b\nRUN mkdir /x && chmod 700 /x\n\n" +
    "FROM debian\nWORKDIR /w\nCOPY --from=b /x /y\nCOPY --chown=1:1 f g ./n/\nCOPY --chown=1:1 f ./\n";
  const { remarks } = await migrate("dockerfile", [], project({ Dockerfile, f: "", g: "" }));
  assert.deepEqual(remarks.map(({ line, what }) => [line, /"(.*?)"/.exec(what)?.[1]]), [[6, "/y"], [
    7,
    "/w/n",
  ]]);
});

Deno.test("werf.yaml: secrets without an id, and images of which nothing is said", async () => {
  const lines = [
    "project: shop",
    "---",
    "image: app",
    "from: debian",
    "final: false",
    "imageSpec: { author: x }",
  ];
  const secrets = ["secrets:", "- env: TOKEN", "- src: ~/.netrc", "- { id: a, env: B }"];
  const { text } = await migrate("werf", [], project({ "werf.yaml": [...lines, ...secrets].join("\n") }));
  assert.match(
    text,
    /- id: TOKEN\n {4}env: TOKEN\n {2}- id: \.netrc\n {4}file: ~\/\.netrc\n {2}- id: a\n {4}env: B$/m,
  );
  assert.doesNotMatch(text, /docker:/);
});

Deno.test("a Dockerfile that no build can read is not migrated", async () => {
  const text = "FROM debian\nRUN <<END\ntrue\n";
  await assert.rejects(migrate("dockerfile", [], project({ Dockerfile: text })), {
    message: 'Cannot migrate "Dockerfile": line 2: the heredoc "END" is not ended',
  });
});

for (const [what, [text, line]] of Object.entries(KEPT)) {
  Deno.test(`a Dockerfile with what a dappfile cannot say stays one: ${what}`, async () => {
    const made = await migrate("dockerfile", ["web/Dockerfile"], project({ "web/Dockerfile": text }));
    assert.match(made.text, /^dimg: app\ndockerfile: Dockerfile\ncontext: web$/m);
    assert.deepEqual(made.remarks.map((each) => each.line), [line]);
  });
}

const COMPOSE = `x-common: &common
  build: { context: ../web, args: { MODE: "$MODE", PRICE: 5$$ } }
services:
  api:
    build: .
  jobs: { build: { context: ./ } }
  web_site: { <<: *common, ports: ["80"] }
  db: { image: postgres:16 }
  far: { build: ../../elsewhere }
  git: { build: "https://example.com/x.git" }
  odd:
    build: { context: ., target: odd, privileged: true }
`;

Deno.test("a Compose file: an image for each thing that it builds, and remarks on what has no place", async () => {
  const there = project({ "deploy/compose.yml": COMPOSE });
  const { text, remarks } = await migrate("compose", ["deploy/compose.yml"], there);
  const { images } = await parseDappfile(text);
  assert.deepEqual(images.map(({ name }) => name), ["api", "jobs", "web-site", "odd"]);
  assert.match(text, /dimg:\n +- api\n +- jobs\ndockerfile: Dockerfile\ncontext: deploy\n/);
  assert.match(text, /context: web\nargs:\n +MODE: \$\{\{ env\.MODE \|\| "" \}\}\n +PRICE: 5\$\n/);
  assert.deepEqual(remarks.map(({ line, what }) => [line, what]), [
    [9, "service far is left out: its context lies outside of the project"],
    [10, "service git is left out: its context lies outside of the project"],
    [11, '"privileged" of service odd is left out'],
  ]);
});

Deno.test("what bake prints: an image for each target", async () => {
  const printed = {
    group: { default: { targets: ["web", "api"] } },
    target: {
      web: { context: "web", dockerfile: "Dockerfile", args: { MODE: "a$b" }, tags: ["r/web:1"] },
      api: { context: ".", dockerfile: "api/Dockerfile", target: "release", platforms: ["linux/arm64"] },
    },
  };
  const there = project({ "bake.json": JSON.stringify(printed, undefined, 2) });
  const { text, remarks } = await migrate("bake", ["bake.json"], there);
  const { images } = await parseDappfile(text);
  assert.deepEqual(images.map(({ name, base }) => [name, base.kind]), [["web", "dockerfile"], [
    "api",
    "dockerfile",
  ]]);
  assert.match(text, /dockerfile: api\/Dockerfile\ntarget: release\n/);
  assert.match(text, /context: web\nargs:\n +MODE: a\$b\n/);
  assert.deepEqual(remarks.map(({ line, what }) => [line, what]), [[
    21,
    '"platforms" of target api is left out',
  ]]);
});

Deno.test("what builds nothing, or is something else, is not migrated", async () => {
  const files = {
    "compose.yaml": "services: { db: { image: postgres } }\n",
    "broken.yaml": "services:\n  a:\n    build: { args: { A: ${A} } }\n",
    "docker-bake.hcl": 'target "web" {\n  context = "web"\n}\n',
    "raw.json": '{ "target": { "web": { "context": "${DIR}" } } }',
    "inherits.json": '{ "target": { "web": { "inherits": ["base"] } } }',
    "group.json": '{ "group": { "default": { "targets": ["web"] } } }',
    "notes.txt": "hello\n",
  };
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["compose", [], /"compose\.yaml": it has no service with `build`/],
    ["compose", ["broken.yaml"], /"broken\.yaml": it is not YAML: line 3: /],
    ["bake", [], /"docker-bake\.hcl": it is not what docker buildx bake --print prints/],
    ["bake", ["raw.json"], /"raw\.json": it is not what docker buildx bake --print prints/],
    ["bake", ["inherits.json"], /"inherits\.json": it is not what/],
    ["bake", ["group.json"], /"group\.json": it is not what/],
    ["dockerfile", ["compose.yaml"], /"compose\.yaml": it is no Dockerfile, it has no FROM/],
    ["dockerfile", ["notes.txt"], /"notes\.txt": it is no Dockerfile, it has no FROM/],
  ];
  for (const [kind, given, message] of cases) {
    await assert.rejects(migrate(kind, given, project(files)), message, `${kind} ${given}`);
  }
});

Deno.test("a kind that is not known is guessed from its spelling, its beginning and names of files", async () => {
  const cases = {
    wref: "Did you mean: dapp migrate werf?",
    docker: "Did you mean: dapp migrate dockerfile?",
    "docker-compose": "Did you mean: dapp migrate compose?",
    "compose.yml": "Did you mean: dapp migrate compose compose.yml?",
    helm: "Known are werf, dockerfile, compose, bake, dapp; for other projects there is dapp init",
    "docker-bake.hcl": "Did you mean: dapp migrate bake docker-bake.hcl?",
  };
  for (const [kind, fix] of Object.entries(cases)) {
    await assert.rejects(migrate(kind, [], project({})), { fix }, kind);
  }
});

Deno.test("a Dappfile of the old dapp: groups, artifacts, and Ruby that a dappfile cannot say", async () => {
  const { text, remarks } = await migrate("dapp", [], project({ Dappfile: RUBY }));
  const { images } = await parseDappfile(text);
  assert.deepEqual(images.map(({ kind, name }) => `${kind} ${name}`), ["artifact artifact-1", "dimg app"]);
  const app = images[1]!;
  assert.deepEqual(app.shell.beforeInstall?.commands, ["echo hi", "apt-get install make"]);
  assert.match(text, /setup:\n {8}- package\.json\n {8}- package-lock\.json\n {6}install:\n {8}- Gemfile\n/);
  assert.equal(app.imports[0]!.artifact, "artifact-1");
  assert.match(text, /^ {4}A: b\n {4}C: d$/m);
  assert.deepEqual(remarks.map(({ line, end }) => [line, end]), [[30, 31], [38, 40], [45, 47]]);
});

Deno.test("a Dappfile of the old dapp: calls in a chain say what blocks say", async () => {
  const Dappfile = `dimg 'app' do
  docker.from 'debian'
  git.add('/src').to('/app').owner 'app'
  mount('/tmp/x').from :tmp_dir
  mount('/cache').from_path '/var/cache/shop'
  artifact 'built' do
    docker.from 'golang'
    export('/out').to('/bin').after :setup
  end
  import('built').add('/etc/x').before :install
end
`;
  const { text } = await migrate("dapp", [], project({ Dappfile }));
  const { images } = await parseDappfile(text);
  const app = images.find(({ kind }) => kind === "dimg")!;
  assert.deepEqual(app.mounts.map(({ to, from }) => [to, from]), [["/tmp/x", "tmp_dir"], ["/cache", "path"]]);
  assert.deepEqual(app.git.map(({ to, owner }) => [to, owner]), [["/app", "app"]]);
  assert.deepEqual(
    app.imports.map(({ artifact, add, to, before, after }) => [artifact, add, to, before, after]),
    [
      ["built", "/out", "/bin", undefined, "setup"],
      ["built", "/etc/x", "/etc/x", "install", undefined],
    ],
  );
});

Deno.test("dapp migrate prints, and writes with --write where nothing is yet", async () => {
  await withProject({ Dappfile: RUBY, "README.md": "" }, async ({ dir, home }) => {
    const dapp = (...args: readonly string[]) =>
      run([Deno.execPath(), "run", "-A", cli, ...args], {
        cwd: dir,
        env: { DAPP_HOME: home, NO_COLOR: "1" },
        allowFailure: true,
      });
    const printed = await dapp("migrate", "dapp");
    assert.match(printed.stdout, /^# Dappfile:38-40: chef do$/m);
    assert.match(printed.stderr, /3 places/);
    const written = await dapp("migrate", "dapp", "--write");
    assert.equal(written.code, 0, written.stderr);
    assert.equal(await Deno.readTextFile(`${dir}/dappfile.yaml`), printed.stdout);
    assert.equal((await dapp("config", "check")).code, 0);
    assert.equal((await dapp("migrate", "dapp", "--write")).code, 2);
    for (const args of [["migrate", "werff"], ["migrate", "werf"], ["migrate", "dockerfile", "no/such"]]) {
      const { code, stderr } = await dapp(...args);
      assert.equal(code, 2);
      assert.match(stderr, /^fix: /m);
    }
  });
});

/** Numbers that look random and are the same in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Lines with a word in each that no other has. */
function generate(seed: number, shapes: readonly string[], length: number): string[] {
  const next = random(seed);
  let count = 0;
  return Array.from({ length }, () => shapes[next(shapes.length)]!).flatMap((shape) =>
    shape.replaceAll("@", () => `t${seed}x${count++}y`).split("\n")
  );
}

const SHAPES: Readonly<
  Record<string, { readonly head: string; readonly shapes: readonly string[]; readonly foot: string }>
> = {
  werf: {
    head: "configVersion: 1\nproject: shop\n---\n",
    foot: "",
    shapes: [
      ...["image: @\nfrom: @\nshell:\n  install:\n  - echo @\n  - |\n    cat @\n    # @\n---", "# @"],
      ...[
        "image: @\nfrom: x\ndocker:\n  ENV: {@: @}\n  USER: @\nimageSpec:\n  config:\n    user: @\n    env: {@: @}\n---",
        "image: @\nfromArtifact: @\nfromImageArtifact: @\ncacheVersion: @\nfromCacheVersion: @\n---",
      ],
      ...["image: @\nfromImage: @\ndocker:\n  ENV: {@: @}\n  @: x\nansible:\n  install:\n  - @: y\n---"],
      ...["image: @\nfrom: {{ $x }} # @\n{{ if @ }}\nmount:\n- {to: /@, from: tmp_dir}\n{{ end }}\n---"],
      ...['artifact: @\nfrom: @:{{ env "A" }}\ngit:\n- add: /@\n  to: /@\n  odd: @\n---'],
      ...['{{ define "@" }}\n@: @\n{{ end }}\n---', "@: [\n---", "@:\n  - @\n---"],
    ],
  },
  dockerfile: {
    head: "FROM base\nWORKDIR /w\n",
    foot: "FROM last\nCOPY --from=0 /x/file.txt /x\n",
    shapes: [
      ...[
        "RUN echo @",
        "COPY @ /@/",
        "COPY @ @",
        "ENV @=@",
        "LABEL @=@",
        "WORKDIR /@",
        "WORKDIR @",
        "EXPOSE @",
        "# @",
      ],
      ...[
        "RUN echo @ && \\\n  # @\n  cat @",
        "FROM @ AS @\nWORKDIR /@",
        'CMD ["@"]',
        "CMD @",
        "STOPSIGNAL @",
        "VOLUME /@",
      ],
    ],
  },
  dapp: {
    head: "",
    foot: "",
    shapes: [
      ...["docker.from '@'", "dimg '@' do\n  docker.from '@'\n  shell.install.run '@',\n    '@'\nend", "# @"],
      ...[
        "dimg '@' do\n  docker do\n    env @: '@'\n    odd '@'\n  end\n  chef do\n    recipe '@'\n  end\nend",
      ],
      ...[
        "dimg_group do\n  git.add('/@').to('/@')\n  dimg '@'\n  mount '/@'\nend",
        "if @\n  dimg '@'\nend",
        "@.each do |x|\n  @\nend",
      ],
      ...[
        "artifact '@' do\n  export '/@' do\n    to '/@'\n    after :setup\n    what '@'\n  end\nend",
        'x = "#{@}"',
        "git '@' do\n  branch '@'\n  add '/@' do\n    to '/@'\n  end\nend",
      ],
    ],
  },
};

for (const [kind, { head, shapes, foot }] of Object.entries(SHAPES)) {
  Deno.test(`every line of the input is in the dappfile or in the report: ${kind}`, async () => {
    let converted = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const text = `${head}${generate(seed, shapes, 2 + seed % 12).join("\n")}\n${foot}`;
      const { text: dappfile, remarks, files: [file] } = await migrate(
        kind,
        ["input.rb"],
        project({ "input.rb": text }),
      );
      assert.equal(file, "input.rb");
      // The Dockerfile itself is what is built.
      if (/^dockerfile: input\.rb$/m.test(dappfile)) continue;
      converted++;
      const [documents = ""] = dappfile.split("# What was left out or changed:");
      for (const [at, line] of text.split("\n").entries()) {
        if (remarks.some((remark) => remark.line <= at + 1 && at + 1 <= remark.end)) continue;
        for (const [word] of line.matchAll(/t\d+x\d+y/g)) {
          assert.ok(
            documents.toLowerCase().includes(word),
            `seed ${seed}, line ${at + 1}: ${line}\n${text}\n${dappfile}`,
          );
        }
      }
    }
    assert.ok(converted > 20, `${converted}`);
  });
}
