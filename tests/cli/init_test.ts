import assert from "node:assert/strict";
import { firstDappfile } from "../../cli/init/first_dappfile.ts";
import { createEngine, parseDappfile } from "../../mod.ts";
import { withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

const cli = new URL("../../cli.ts", import.meta.url).pathname;

/** Name -> files of the project, and what its dappfile must have. */
const projects: Readonly<
  Record<string, readonly [Readonly<Record<string, string>>, string, readonly RegExp[]]>
> = {
  "Node.js with a lock file and a build": [
    { "package.json": '{"scripts":{"start":"node .","build":"tsc"}}', "package-lock.json": "{}" },
    "a Node.js project",
    [/install: \[package\.json, package-lock\.json\]/, /npm ci\]/, /npm run build/, /CMD: \[npm, start\]/],
  ],
  "Node.js without either": [
    { "package.json": '{"main":"lib/x.js"}' },
    "a Node.js project",
    [/npm install --omit=dev/, /CMD: \[node, "lib\/x\.js"\]/],
  ],
  "Node.js whose package.json is damaged": [{ "package.json": "{", "server.js": "" }, "a Node.js project", [
    /server\.js/,
  ]],
  "pnpm": [{ "package.json": "{}", "pnpm-lock.yaml": "" }, "a Node.js project", [
    /pnpm install --frozen-lockfile --prod/,
  ]],
  "Python with requirements": [
    { "requirements.txt": "flask\n", "app.py": "" },
    "a Python project",
    [/-r \/app\/requirements\.txt/, /CMD: \[python3, app\.py\]/],
  ],
  "Python with a pyproject": [{ "pyproject.toml": "" }, "a Python project", [
    /pip install --no-cache-dir \/app\]/,
  ]],
  "Django": [{ "requirements.txt": "django\n", "manage.py": "" }, "a Python project", [/runserver/]],
  "Go": [
    { "go.mod": "module x\n\ngo 1.24\n", "main.go": "" },
    "a Go project",
    [/from: golang:1\.24-bookworm/, /install: \[go\.mod\]/, /-o \/out\/app \.\]/],
  ],
  "Go with cmd": [
    { "go.mod": "module x\n", "go.sum": "", "cmd/server/main.go": "" },
    "a Go project",
    [/\.\/cmd\/server/, /install: \[go\.mod, go\.sum\]/],
  ],
  "a workspace of npm": [
    {
      "package.json": '{"workspaces":["apps/*","lib"],"scripts":{"build":"x"}}',
      "package-lock.json": "{}",
      ".npmrc": "",
      "apps/api/package.json": '{"name":"@x/api","scripts":{"start":"node ."}}',
      "apps/web/package.json": '{"name":"@x/web"}',
      "lib/package.json": '{"name":"lib"}',
    },
    "a Node.js project",
    [
      /install: \["\*\*\/package\.json", package-lock\.json, \.npmrc\]/,
      /CMD: \[npm, start, --workspace, "@x\/api"\]/,
    ],
  ],
  "a workspace of pnpm": [
    {
      "package.json": "{}",
      "pnpm-lock.yaml": "",
      "pnpm-workspace.yaml": "packages:\n  # all\n  - 'apps/*'\n  - tools\nonlyBuiltDependencies: [x]\n",
      "apps/api/package.json": '{"name":"api","scripts":{"start":"node ."}}',
    },
    "a Node.js project",
    [/"\*\*\/package\.json", pnpm-lock\.yaml, pnpm-workspace\.yaml\]/, /\[pnpm, --filter, "api", start\]/],
  ],
  "Rust": [
    {
      "Cargo.toml": '[package]\nversion = "1.0.0"\nname = "hello-rs"\n\n[dependencies.name]\nname = "x"\n',
      "Cargo.lock": "",
      "src/main.rs": "",
      "rust-toolchain.toml": '[toolchain]\nchannel = "1.84"\n',
    },
    "a Rust project",
    [
      /from: rust:1\.84-bookworm/,
      /cargo install --locked --path \. /,
      /CMD: \[\/usr\/local\/bin\/hello-rs\]/,
    ],
  ],
  "a workspace of Rust": [
    {
      "Cargo.toml": '[workspace]\nmembers = [\n  "crates/*",\n]\n',
      "crates/lib/Cargo.toml": '[package]\nname = "lib"\n',
      "crates/lib/src/lib.rs": "",
      "crates/server/Cargo.toml": '[package]\nname = "server"\n\n[[bin]]\npath = "x.rs"\nname = "serve"\n',
      "crates/server/x.rs": "",
    },
    "a Rust project",
    [/from: rust:1-bookworm/, /cargo install --path crates\/server /, /\/usr\/local\/bin\/serve\]/],
  ],
  "Maven": [
    { "pom.xml": "<project><properties><java.version>17</java.version></properties></project>" },
    "a Java project",
    [
      /from: maven:3-eclipse-temurin-17/,
      /mvn .*package/,
      /ls -S target\/\*\.jar/,
      /from: eclipse-temurin:17-jre/,
    ],
  ],
  "modules of Maven": [
    { "pom.xml": "<project><modules><module>a</module></modules><release>12</release></project>" },
    "a Java project",
    [/from: maven:3-eclipse-temurin-17/, /ls -S \*\/target\/\*\.jar/],
  ],
  "Gradle": [
    { "build.gradle.kts": "kotlin { jvmToolchain(22) }", "gradlew": "", "settings.gradle.kts": "" },
    "a Java project",
    [/from: eclipse-temurin:25-jdk/, /sh gradlew .*assemble/, /ls -S build\/libs\/\*\.jar \*\/build\/libs/],
  ],
  "Gradle that the machine must have": [{ "build.gradle": "" }, "a Java project", [
    /from: gradle:jdk21/,
    /gradle --no-daemon/,
  ]],
  "PHP": [
    { "composer.json": '{"require":{"php":"^8.2"}}', "composer.lock": "{}", "public/index.php": "" },
    "a PHP project",
    [
      /from: php:8\.2-apache/,
      /buildArtifact: \[composer\.json, composer\.lock\]/,
      /html\/public/,
      /add: \/app\/vendor/,
    ],
  ],
  "PHP whose packages depend on its sources": [
    { "composer.json": '{"autoload":{"classmap":["src"]}}' },
    "a PHP project",
    [/from: php:8-apache/, /buildArtifact: \["\*\*\/\*"\]/],
  ],
  "PHP without packages": [{ "index.php": "" }, "a PHP project", [/add: \/\n +to: \/var\/www\/html/]],
  "Ruby": [
    { "Gemfile": "source 'https://gems.example'\nruby '3.3.4'\n", "Gemfile.lock": "", "config.ru": "" },
    "a Ruby project",
    [/from: ruby:3\.3\.4-bookworm/, /install: \[Gemfile, Gemfile\.lock\]/, /rackup/],
  ],
  "Rails": [
    { "Gemfile": "gem 'rails'\n", ".ruby-version": "ruby-3.4.1\n", "bin/rails": "" },
    "a Ruby project",
    [/from: ruby:3\.4\.1-bookworm/, /install: \[Gemfile, \.ruby-version\]/, /CMD: \[bin\/rails, server/],
  ],
  "a Compose file, with what it only starts": [
    {
      "compose.yaml": "services:\n  api: { build: ./api }\n  db: { image: 'postgres:16' }\n" +
        "  web:\n    build: { context: ., dockerfile: web/Dockerfile, target: prod, args: [A=1, 'B=${C:-x}'] }\n",
      "api/Dockerfile": "FROM scratch\nCOPY . /\n",
      "web/Dockerfile": "FROM scratch AS prod\nCOPY web /\n",
      "package.json": "{}",
    },
    "a project with a compose.yaml",
    [
      /dimg: api\ndockerfile: Dockerfile\ncontext: api\n/,
      /dimg: web\ndockerfile: web\/Dockerfile\ntarget: prod\nargs:\n +A: "1"\n +B: \$\{\{ env\.C \|\| "x" \}\}\n/,
    ],
  ],
  "a Compose file that builds nothing": [
    { "compose.yaml": "services: { db: { image: postgres } }\n", "package.json": "{}" },
    "a Node.js project",
    [/dimg: app\n/],
  ],
  "Dockerfiles in directories": [
    { "api/Dockerfile": "FROM alpine\nRUN date\n", "web/Dockerfile": "FROM alpine\nRUN date\n" },
    "a project with 2 Dockerfiles",
    [/dimg: api\nfrom: alpine/, /dimg: web\nfrom: alpine/],
  ],
  "a static site": [{ "index.html": "" }, "a static site", [/add: \/\n/]],
  "a static site in public": [{ "public/index.html": "", "README.md": "" }, "a static site", [
    /add: \/public\n/,
  ]],
  "a Dockerfile": [
    {
      "Dockerfile": 'FROM alpine:3.22\nRUN apk add \\\n  curl\nCMD ["curl"]\n',
    },
    "a project with a Dockerfile",
    [/from: alpine:3\.22/, /- apk add curl/],
  ],
  "a werf.yaml": [
    {
      "werf.yaml": "project: x\nconfigVersion: 1\n---\nimage: app\nfrom: alpine\nshell: { setup: [date] }\n",
    },
    "a project with a werf.yaml",
    [/from: alpine/, /setup:\n +- date/],
  ],
  "a Dappfile": [
    { Dappfile: "dimg 'app' do\n  docker.from 'alpine'\n  shell.setup.run 'date'\nend\n" },
    "a project with a Dappfile",
    [/from: alpine/, /setup:\n +- date/],
  ],
  "nothing at all": [{}, "a project of no known kind", [/from: debian/]],
};

Deno.test("dapp init writes a dappfile that plans, with a hint for editors in every document", async (t) => {
  for (const [name, [files, what, patterns]] of Object.entries(projects)) {
    await t.step(name, async () => {
      await withProject(files, async ({ dir, home, commit, write }) => {
        const dapp = [Deno.execPath(), "run", "-A", cli, "init", "-C", dir, "--json"];
        const made = JSON.parse((await run([...dapp, "--dry-run"])).stdout);
        assert.equal(made.what, what);
        await assert.rejects(Deno.stat(`${dir}/dappfile.yaml`));
        assert.deepEqual(JSON.parse((await run(dapp)).stdout).written, [
          "dappfile.yaml",
          "dappfile.schema.json",
        ]);
        const text = await Deno.readTextFile(`${dir}/dappfile.yaml`);
        assert.equal(text, made.text);
        for (const pattern of patterns) assert.match(text, pattern);
        for (const document of text.split(/^---\n/m)) {
          assert.match(document, /^# yaml-language-server: \$schema=/);
        }
        const config = await parseDappfile(text);
        assert.deepEqual(config.warnings, []);
        // No base image can be had here; everything else is as it was written.
        await write({ "dappfile.yaml": text.replaceAll(/^from: .*$/gm, "from: scratch") });
        await commit();
        await using engine = createEngine({ dir, home });
        const plan = await engine.plan();
        assert.ok(
          plan.images.length > 0 &&
            plan.images.every(({ stages }) => stages.length > 1 || stages[0]!.stage === "dockerfile"),
        );
      });
    });
  }
});

Deno.test("dapp init tells to make a repository where there is none", async () => {
  await withProject({ "site/index.html": "" }, async ({ dir }) => {
    const outside = `${dir}-outside`;
    await Deno.mkdir(outside);
    const next = async (project: string) => {
      const { stdout } = await run([Deno.execPath(), "run", "-A", cli, "init", "-C", project]);
      return stdout.split("\n").find((line) => line.startsWith("Look at it"));
    };
    assert.equal(await next(`${dir}/site`), "Look at it, commit it, and then:");
    assert.equal(
      await next(outside),
      "Look at it, make a git repository of the directory (git init), commit, and then:",
    );
  });
});

Deno.test("dapp init changes nothing that is there", async () => {
  await withProject(
    { "dappfile.yml": "dimg: app\nfrom: scratch\n", "package.json": "{}" },
    async ({ dir }) => {
      const argv = [Deno.execPath(), "run", "-A", cli, "init", "-C", dir];
      const { code, stderr } = await run(argv, { allowFailure: true });
      assert.equal(code, 2);
      assert.match(stderr, /dappfile\.yml" is there already/);
      await assert.rejects(Deno.stat(`${dir}/dappfile.yaml`));
    },
  );
});

Deno.test("dapp init leaves a schema that is there as it is", async () => {
  await withProject({ "index.html": "", "dappfile.schema.json": "mine" }, async ({ dir }) => {
    const argv = [Deno.execPath(), "run", "-A", cli, "init", "-C", dir, "--json"];
    assert.deepEqual(JSON.parse((await run(argv)).stdout).written, ["dappfile.yaml"]);
    assert.equal(await Deno.readTextFile(`${dir}/dappfile.schema.json`), "mine");
  });
});

Deno.test("init, migrate and plugin new say when the project directory is none", async () => {
  await withProject({ "package.json": "{}" }, async ({ dir }) => {
    const commands = [["init"], ["migrate", "werf"], ["plugin", "new", "tagging", "x"]];
    const wrong = [["none", "there is no such directory"], [
      "package.json",
      "it is not a directory",
    ]] as const;
    for (const command of commands) {
      for (const [name, why] of wrong) {
        const argv = [Deno.execPath(), "run", "-A", cli, ...command, "-C", `${dir}/${name}`];
        const { code, stderr } = await run(argv, { allowFailure: true });
        assert.equal(code, 2, stderr);
        assert.ok(
          stderr.startsWith(`error: Cannot use the directory "${dir}/${name}": ${why}\nfix: `),
          stderr,
        );
      }
    }
  });
});

Deno.test("firstDappfile() names what other tools left, and a project by its directory", async () => {
  const names = new Set(["werf.yaml", "Dappfile", "index.html"]);
  const files = { names, list: () => Promise.resolve([]), read: () => Promise.resolve(undefined) };
  const { text, notes } = await firstDappfile("My Shop", files);
  assert.match(text, /^project: My-Shop$/m);
  assert.equal(notes.length, 2);
  for (const name of ["my_shop", "1.0", "a # b", "läden", "~"]) {
    const { project } = await parseDappfile((await firstDappfile(name, files)).text);
    assert.equal(project.name, name.replaceAll(" ", "-"));
  }
});

Deno.test("firstDappfile() names a Dockerfile that a dappfile cannot tell", async () => {
  const files = {
    names: new Set(["Dockerfile"]),
    list: () => Promise.resolve([]),
    read: (path: string) => Promise.resolve(path === "Dockerfile" ? "ARG B\nFROM ${B}\n" : undefined),
  };
  const { text, notes } = await firstDappfile("shop", files);
  assert.match(text, /^dimg: app\ndockerfile: Dockerfile$/m);
  assert.match(notes[0]!, /the end of the dappfile/);
});
