/** Images of Dockerfiles as the engine sees them: plan, signatures, reasons, messages, and what a builder is given. */
import assert from "node:assert/strict";
import {
  type Builder,
  definePlugin,
  type DockerfileStep,
  EngineError,
  type EngineOptions,
  use,
} from "../../mod.ts";
import { openTestSource } from "../support/named_source.ts";
import { type FileSpec, type TestProject, withProject } from "../support/project.ts";

const DAPPFILE = `project: shop
---
dimg: web
dockerfile: Dockerfile
context: web
args: { VERSION: "1" }
---
dimg: api
dockerfile: api.Dockerfile
target: release
`;

const FILES: Readonly<Record<string, FileSpec>> = {
  "dappfile.yaml": DAPPFILE,
  "web/Dockerfile": `ARG TAG=3
FROM alpine:$TAG AS deps
COPY package*.json ./
RUN --mount=type=bind,source=scripts,target=/s /s/install

# the page
FROM alpine:$TAG
ARG VERSION
COPY --from=deps /deps /deps
COPY --from=busybox /bin/sh /bin/
COPY src/ src/
`,
  "web/package.json": "{}\n",
  "web/scripts/install": { text: "true\n", mode: 0o755 },
  "web/src/main.js": "1\n",
  "web/src/notes.md": "left out\n",
  "web/README.md": "not read\n",
  "web/.dockerignore": "**/*.md\n",
  "api.Dockerfile": `FROM golang:1 AS golang
COPY . .
FROM golang AS test
RUN test
FROM scratch AS release
COPY --from=golang /x /x
`,
};

/** Images by name; a test may move one. */
function engineOf(project: TestProject, moved: readonly string[] = [], options: EngineOptions = {}) {
  return project.engine({
    plugins: [use(openTestSource(moved)), ...options.plugins ?? []],
    env: {},
    ...options,
  });
}

async function signatures(project: TestProject, moved: readonly string[] = []) {
  await using engine = engineOf(project, moved);
  const plan = await engine.plan();
  return Object.fromEntries(plan.images.map(({ name, signature }) => [name, signature]));
}

/** Which images get another signature by a change. */
async function touched(project: TestProject, files: Readonly<Record<string, FileSpec>>): Promise<string[]> {
  const before = await signatures(project);
  await project.write(files);
  await project.commit();
  const after = await signatures(project);
  return Object.keys(after).filter((name) => before[name] !== after[name]);
}

Deno.test("the signature covers what the build can see, and nothing else", async (t) => {
  const dockerfile = String(FILES["web/Dockerfile"]);
  const api = String(FILES["api.Dockerfile"]);
  const cases: Readonly<Record<string, [Readonly<Record<string, FileSpec>>, readonly string[]]>> = {
    "a file that is copied": [{ "web/src/main.js": "2\n" }, ["web", "api"]],
    "a file that matches a wildcard": [{ "web/package-lock.json": "{}\n" }, ["web", "api"]],
    "a file that is mounted": [{ "web/scripts/more": "x\n" }, ["web", "api"]],
    "a file that one of them reads": [{ "web/README.md": "other\n" }, ["api"]],
    "a file that is ignored": [{ "web/src/notes.md": "other\n" }, ["api"]],
    "a comment": [{ "web/Dockerfile": dockerfile.replace("# the page", "# another") }, ["api"]],
    "an instruction": [{ "web/Dockerfile": `${dockerfile}LABEL a=b\n` }, ["web", "api"]],
    "a stage that is not reached": [{ "api.Dockerfile": api.replace("RUN test", "RUN other") }, ["api"]],
    "an argument": [{ "dappfile.yaml": DAPPFILE.replace('"1"', '"2"') }, ["web", "api"]],
    "what is ignored": [{ "web/.dockerignore": "**/*.md\nsrc/main.js\n" }, ["web", "api"]],
    "patterns that leave the same": [{ "web/.dockerignore": "# same\n**/*.md\nnothing\n" }, ["api"]],
  };
  for (const [name, [change, want]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await withProject(FILES, async (project) => assert.deepEqual(await touched(project, change), want));
    });
  }
  await t.step("an unreached stage, where the context leaves the Dockerfile out", async () => {
    await withProject({ ...FILES, ".dockerignore": "*Dockerfile*\n" }, async (project) => {
      assert.deepEqual(
        await touched(project, { "api.Dockerfile": api.replace("RUN test", "RUN other") }),
        [],
      );
    });
  });
  await t.step("an image that moves", async () => {
    await withProject(FILES, async (project) => {
      const before = await signatures(project);
      for (
        const [name, want] of [["busybox", ["web"]], ["golang:1", ["api"]], ["alpine:3", ["web"]]] as const
      ) {
        const after = await signatures(project, [name]);
        assert.deepEqual(Object.keys(after).filter((image) => before[image] !== after[image]), want);
      }
    });
  });
});

/** A builder of Dockerfiles that only notes what it is given, and makes an empty image. */
function noting(steps: DockerfileStep[]) {
  return definePlugin({
    name: "builder-noting",
    api: 1,
    setup: () => ({
      openBuilder: (): Builder => ({
        name: "noting",
        run: () => Promise.reject(new Error("no commands")),
        shell: () => Promise.resolve(0),
        buildDockerfile: (step) => {
          steps.push(step);
          const config = { architecture: "amd64", os: "linux", config: { Cmd: ["x"], OnBuild: ["RUN y"] } };
          const rootfs = { type: "layers" as const, diff_ids: [] };
          return Promise.resolve({ config: { ...config, rootfs }, layers: [] });
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    }),
  });
}

Deno.test("a builder gets images, arguments and files; explain says what changed since", async () => {
  await withProject(FILES, async (project) => {
    const steps: DockerfileStep[] = [];
    const plugins = [use(noting(steps))];
    const build = async (moved: readonly string[] = []) => {
      await using engine = engineOf(project, moved, { plugins: [use(openTestSource(moved)), ...plugins] });
      return await engine.build(["web"]);
    };
    const { images } = await build();
    assert.deepEqual(images[0]?.state.config.config, { Cmd: ["x"], OnBuild: ["RUN y"] });
    assert.equal(images[0]?.state.config.created, "2026-01-01T00:00:00Z");
    const [step] = steps;
    assert.deepEqual(step?.bases.map(({ name }) => name), ["alpine:3", "busybox"]);
    assert.deepEqual(step?.args, { VERSION: "1" });
    assert.equal(step?.text, FILES["web/Dockerfile"]);
    assert.deepEqual(
      step?.context.map(({ path, kind, mode }) => `${kind} ${mode.toString(8)} ${path}`),
      [
        "file 644 package.json",
        "dir 755 scripts",
        "file 755 scripts/install",
        "dir 755 src",
        "file 644 src/main.js",
      ],
    );
    assert.equal((await build()).stagesBuilt, 0);

    await project.write({ "web/src/main.js": "2\n", "web/Dockerfile": `${FILES["web/Dockerfile"]}USER x\n` });
    await project.write({ "dappfile.yaml": DAPPFILE.replace('"1"', '"2"') });
    await project.commit("other page");
    await using engine = engineOf(project, ["busybox"], {
      plugins: [use(openTestSource(["busybox"])), ...plugins],
    });
    const { images: explained } = await engine.explain("web");
    const changes = explained[0]!.stages[0]!.changes.map((change) => {
      switch (change.kind) {
        case "files":
          return change.files.map(({ path, change, commit }) =>
            `${path} ${change} ${commit?.replace(/^\w+ /, "")}`
          );
        case "commands":
          return change.diff.filter((line) => !line.startsWith(" "));
        case "value":
          return change.key;
      }
    });
    assert.deepEqual(changes, [
      "args.VERSION",
      "base[busybox]",
      ["/src/main.js modified other page"],
      ["+USER x"],
    ]);
    const { images: planned } = await engine.plan(["web"]);
    assert.equal(
      planned[0]!.stages[0]!.reason,
      "args.VERSION changed; base[busybox] changed; 1 file changed (/src/main.js); the Dockerfile changed",
    );
  });
});

Deno.test("what strangers add comes over no network where their commands have none", async () => {
  for (
    const [options, wanted] of [
      [{ untrusted: true, network: "none" }, true],
      [{ untrusted: true }, undefined],
      [{ network: "none" }, undefined],
    ] as const
  ) {
    await withProject(FILES, async (project) => {
      const steps: DockerfileStep[] = [];
      const plugins = [use(openTestSource([])), use(noting(steps))];
      await using engine = engineOf(project, [], { ...options, plugins });
      await engine.build(["web"]);
      assert.deepEqual(steps.map(({ withoutDownloads }) => withoutDownloads), [wanted]);
    });
  }
});

Deno.test("mistakes are told with their place", async (t) => {
  const failing: Readonly<Record<string, [Readonly<Record<string, FileSpec>>, string, string?]>> = {
    "no Dockerfile": [
      { "dappfile.yaml": "dimg: web\ndockerfile: Dokerfile\ncontext: web\n" },
      'Cannot build web: "web/Dokerfile" is no committed file; did you mean "web/Dockerfile"?',
    ],
    "an argument that nobody gives": [
      { "web/Dockerfile": "ARG BASE\n\nFROM $BASE\n" },
      'Cannot build web: web/Dockerfile:3: the image "$BASE" is empty: is an argument missing?',
      "web/Dockerfile:3",
    ],
    "an unknown stage": [
      { "dappfile.yaml": "dimg: web\ndockerfile: api.Dockerfile\ntarget: relese\n" },
      'Cannot build web: api.Dockerfile:5: there is no stage "relese": its stages are golang, test, release. ' +
      'Did you mean "release"?',
      "api.Dockerfile:5",
    ],
    "a syntax of its own": [
      { "web/Dockerfile": "# syntax=ghcr.io/acme/syntax:1\nFROM scratch\n" },
      'Cannot build web: web/Dockerfile:1: "ghcr.io/acme/syntax:1" is a syntax of its own, only docker/dockerfile is ' +
      "known: remove the line",
      "web/Dockerfile:1",
    ],
    "a bad pattern": [
      { "web/.dockerignore": "a\n[b\n" },
      'Cannot build web: web/.dockerignore:2: "[" in "[b" is not closed',
      "web/.dockerignore:2",
    ],
    "no FROM": [
      { "web/Dockerfile": "RUN x\n" },
      "Cannot build web: web/Dockerfile:1: there is no FROM",
      "web/Dockerfile:1",
    ],
  };
  for (const [name, [change, message, at]] of Object.entries(failing)) {
    await t.step(name, async () => {
      await withProject({ ...FILES, ...change }, async (project) => {
        await using engine = engineOf(project);
        await assert.rejects(engine.plan(["web"]), (error) => {
          assert.ok(error instanceof EngineError);
          assert.equal(error.code, "CONFIG_INVALID");
          assert.equal(error.message, message);
          assert.equal(error.details.at, at);
          return true;
        });
      });
    });
  }
});

Deno.test("a builder that runs commands only says so, before anything is built", async () => {
  await withProject(FILES, async (project) => {
    await using engine = engineOf(project, [], { builder: "native" });
    await assert.rejects(engine.build(["web"]), {
      code: "BUILDER_UNAVAILABLE",
      message: 'Cannot build web/dockerfile: builder "native" cannot build Dockerfiles, BuildKit can',
    });
    assert.ok(project.events.every(({ type }) => type !== "transfer.started"));
  });
});

Deno.test("what dapp cannot pin is said, and the stage is not hermetic", async () => {
  const files = {
    "dappfile.yaml": "dimg: web\ndockerfile: Dockerfile\nargs: { UNKNOWN: x }\n",
    Dockerfile:
      "FROM alpine:3\nADD https://example.com/a.tar /a\nADD --checksum=sha256:00 https://example.com/b /b\n",
  };
  await withProject(files, async (project) => {
    await using engine = engineOf(project);
    const { images } = await engine.plan();
    assert.equal(images[0]?.stages[0]?.hermetic, false);
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    assert.deepEqual(notes.filter((text) => text.startsWith("web:")), [
      'web: no ARG of Dockerfile takes build argument "UNKNOWN"',
      'web: Dockerfile:2 adds "https://example.com/a.tar", whose content may change without dapp seeing it ' +
      "(pin it with ADD --checksum)",
    ]);
  });
});

Deno.test("dapp dimg lock pins the images of Dockerfiles, those that are reached", async () => {
  await withProject(FILES, async (project) => {
    await using engine = engineOf(project);
    const { entries } = await engine.lock();
    assert.deepEqual(entries.map(({ name, change }) => `${name} ${change}`), [
      "alpine:3 added",
      "busybox added",
      "golang:1 added",
    ]);
    const before = await signatures(project);
    assert.deepEqual(await signatures(project, ["alpine:3"]), before, "a locked image does not move");
  });
});
