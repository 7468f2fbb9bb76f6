/** Dockerfiles built by a real BuildKit daemon, beside what its own client builds of the same directory. */
import assert from "node:assert/strict";
import { digestOf, signatureOf } from "../../core/contract/plugin.ts";
import {
  createEngine,
  type DockerfileStep,
  type Engine,
  EngineError,
  type EngineOptions,
} from "../../mod.ts";
import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { type Buildkitd, findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { imageTree } from "../support/image_tree.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";

const files = (registry: string) => ({
  "dappfile.yaml": `project: shop
---
dimg: web
dockerfile: Dockerfile
context: web
args: { APP_VERSION: "1.2" }
secrets: [{ id: token, env: TOKEN }]
---
dimg: api
dockerfile: Dockerfile
context: api
target: release
---
dimg: jobs
dockerfile: docker/jobs.Dockerfile
context: jobs
`,
  "web/Dockerfile": `# syntax=docker/dockerfile:1
ARG NODE=1
FROM ${registry}/node:\${NODE} AS deps
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm cat package.json > deps.lock && date > /root/.npm/last

FROM deps AS build
COPY src ./src
RUN mkdir dist && cat src/*.js > dist/main.js && ln dist/main.js dist/same.js && rm src/a.js

FROM ${registry}/node:\${NODE}
ARG APP_VERSION
ENV NODE_ENV=production VERSION=$APP_VERSION
LABEL org.opencontainers.image.title="web shop"
WORKDIR /app
RUN --mount=type=secret,id=token --mount=type=secret,id=other test "$(cat /run/secrets/token)" = value \\
    && test ! -e /run/secrets/other
COPY --from=build --chown=65534:65534 /src/dist ./dist
COPY --from=deps /src/deps.lock .
USER nobody
EXPOSE 8080 9090/udp
VOLUME /data
HEALTHCHECK --interval=30s CMD ["/bin/true"]
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "cat dist/main.js"]
`,
  "web/package.json": '{"name":"web"}\n',
  "web/package-lock.json": "{}\n",
  "web/src/a.js": "console.log(1);\n",
  "web/src/b.js": "console.log(2);\n",
  "web/README.md": "not copied\n",
  "api/Dockerfile": `FROM ${registry}/go:1 AS go
WORKDIR /go/src
COPY go.mod .
COPY *.go ./
RUN cat *.go > /bin/server && chmod 755 /bin/server

FROM go AS test
RUN exit 1

FROM scratch AS release
COPY --from=go /bin/server /server
COPY --from=${registry}/jobs:1 /etc/group /etc/group
ONBUILD COPY conf /conf
ENTRYPOINT ["/server"]
`,
  "api/go.mod": "module api\n",
  "api/main.go": "package main\n",
  "api/notes.txt": "not copied\n",
  "jobs/docker/jobs.Dockerfile": `FROM ${registry}/jobs:1 AS jobs
COPY . /app
RUN <<SCRIPT
echo made > /app/made
rm /etc/group
chmod 2750 /app/run.sh
SCRIPT

FROM jobs
CMD python -m app
`,
  "jobs/docker/jobs.Dockerfile.dockerignore": "*.log\nlogs/*\n!keep.log\ndocker\n",
  "jobs/.dockerignore": "**\n",
  "jobs/app/main.py": "print(1)\n",
  "jobs/logs/a.txt": "left out, but for its directory\n",
  "jobs/x.log": "left out\n",
  "jobs/keep.log": "kept\n",
  "jobs/link": { link: "app/main.py" },
  "jobs/run.sh": { text: "#!/bin/sh\n", mode: 0o755 },
  "jobs/é ü.txt": "name\n",
});

/** How its own client builds the same. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  web: ["web", "Dockerfile", "--opt", "build-arg:APP_VERSION=1.2", "--secret", "id=token,env=TOKEN"],
  api: ["api", "Dockerfile", "--opt", "target=release"],
  jobs: ["jobs", "docker/jobs.Dockerfile"],
};

interface Shop {
  readonly project: TestProject;
  readonly daemon: Buildkitd;
  readonly registry: string;
  engine(options?: EngineOptions): Engine;
}

/** A project of three services whose base images are in a registry of its own; nothing where BuildKit is not found. */
async function withShop(body: (shop: Shop) => Promise<void>): Promise<void> {
  if (await findBuildkitd() === undefined) return;
  await using daemon = await startBuildkitd();
  if (!daemon) return;
  await using server = await startDockerRegistry();
  if (!server) return;
  const layout = await busyboxBase();
  for (const name of ["node", "go", "jobs"]) {
    await run([
      "skopeo",
      "copy",
      "--dest-tls-verify=false",
      `oci:${layout}:latest`,
      `docker://${server.host}/${name}:1`,
    ]);
  }
  await withProject(files(server.host), async (project) => {
    const env = { ...Deno.env.toObject(), BUILDKIT_HOST: daemon.address, TOKEN: "value" };
    await body({
      project,
      daemon,
      registry: server.host,
      engine: (options) => project.engine({ env, ...options }),
    });
  });
}

Deno.test("a project of three Dockerfiles builds as BuildKit's own client builds it, and to the same bytes anywhere", async () => {
  await withShop(async ({ project, daemon, engine }) => {
    await using first = engine();
    const built = await first.build();
    assert.deepEqual(built.images.map(({ name }) => name), ["web", "api", "jobs"]);
    assert.equal(built.stagesBuilt, 3);

    const program = `${(await findBuildkitd())!.replace(/buildkitd$/, "")}buildctl`;
    for (const image of built.images) {
      const [context, dockerfile, ...more] = SAME[image.name]!;
      const dir = `${project.dir}/${context}`;
      await withTempDir(async (out) => {
        await run([
          program,
          "--addr",
          daemon.address,
          ...["build", "--frontend", "dockerfile.v0", "--opt", "cmdline=docker/dockerfile", "--no-cache"],
          ...["--local", `context=${dir}`, "--opt", `filename=${dockerfile!.split("/").at(-1)}`],
          ...["--local", `dockerfile=${`${dir}/${dockerfile}`.replace(/\/[^/]*$/, "")}`],
          ...["--output", `type=oci,tar=false,dest=${out}/layout`],
          ...more,
        ], { env: { TOKEN: "value" } });
        const blob = async (digest: string) =>
          JSON.parse(await Deno.readTextFile(`${out}/layout/blobs/sha256/${digest.slice(7)}`));
        const { manifests } = JSON.parse(await Deno.readTextFile(`${out}/layout/index.json`));
        const manifest = await blob(manifests[0].digest);
        const { config } = await blob(manifest.config.digest);
        const own = image.state.config.config;
        assert.deepEqual(own, config, image.name);
        assert.deepEqual(
          await imageTree(project.home, image.state.layers),
          await imageTree(`${out}/layout`, manifest.layers),
          image.name,
        );
      });
    }

    // Nothing is left to do, and nothing depends on this checkout, this store or what the daemon has in its cache.
    await using again = engine();
    assert.equal((await again.build()).stagesBuilt, 0);
    await using elsewhere = await startBuildkitd();
    await withTempDir(async (dir) => {
      await run(["git", "clone", "-q", project.dir, `${dir}/copy`]);
      await using other = createEngine({
        dir: `${dir}/copy`,
        home: `${dir}/home`,
        env: { ...Deno.env.toObject(), BUILDKIT_HOST: elsewhere!.address, TOKEN: "value" },
      });
      const rebuilt = await other.build();
      assert.equal(rebuilt.stagesBuilt, 3);
      assert.deepEqual(
        rebuilt.images.map(({ name, digest }) => [name, digest]),
        built.images.map(({ name, digest }) => [name, digest]),
      );
    });
  });
});

Deno.test("a file that changes rebuilds its image alone, with what is in it now; others take stages from REPO", async () => {
  await withShop(async ({ project, registry, engine }) => {
    const repo = `${registry}/shop`;
    await using first = engine({ repo });
    await first.build();
    // As long as before, and of the same time: the daemon must not think that it has it.
    await project.write({ "web/src/b.js": "console.log(3);\n" });
    await project.commit();
    await using second = engine({ repo });
    const { images, stages } = await second.build([], { stages: true });
    assert.deepEqual(stages.flatMap(({ image, state }) => state === "built" ? [image] : []), ["web"]);

    await withTempDir(async (home) => {
      await using nobody = createEngine({
        dir: project.dir,
        home,
        repo,
        env: { PATH: Deno.env.get("PATH") },
      });
      const taken = await nobody.build();
      assert.equal(taken.stagesBuilt, 0);
      assert.deepEqual(taken.images.map(({ digest }) => digest), images.map(({ digest }) => digest));
      const tree = await imageTree(home, images[0]!.state.layers);
      assert.match(tree["app/dist/main.js"]!, /console\.log\(3\);\n$/);
    });
  });
});

Deno.test("what fails in a Dockerfile is told with its line, and an image that was not given is refused", async () => {
  await withShop(async ({ project, daemon, registry, engine }) => {
    const from = `FROM ${registry}/node:1`;
    const failing: Readonly<Record<string, readonly [dockerfile: string, message: string]>> = {
      command: [
        `${from} AS node\n\nFROM node\nRUN echo seen \\\n  && exit 3\n`,
        '4: "RUN echo seen && exit 3" ended with exit status 3',
      ],
      instruction: [`${from}\nRUM x\n`, "2: unknown instruction: RUM (did you mean RUN?)"],
      file: [`${from}\n\nCOPY nothing /\n`, '3: "/nothing": not found'],
      copied: [
        `${from} AS one\nRUN true\nFROM ${registry}/jobs:1\nCOPY --from=one \\\n /nothing /\n`,
        '4: "/nothing": not found',
      ],
      variable: [
        `${from}\nRUN true\nWORKDIR \${X:?wanted}\n`,
        '3: failed to process "\${X:?wanted}": X: wanted',
      ],
    };
    const documents = Object.keys(failing).map((name) => `dimg: ${name}\ndockerfile: ${name}.Dockerfile\n`);
    await project.write({
      "dappfile.yaml": `project: failing\n---\n${documents.join("---\n")}`,
      ...Object.fromEntries(Object.entries(failing).map(([name, [text]]) => [`${name}.Dockerfile`, text])),
    });
    await project.commit();
    for (const [name, [, message]] of Object.entries(failing)) {
      await using one = engine();
      await assert.rejects(one.build([name]), (error) => {
        assert.ok(error instanceof EngineError);
        assert.equal(error.code, "STAGE_FAILED");
        assert.equal(error.message, `Cannot build stage "${name}/dockerfile": ${name}.Dockerfile:${message}`);
        assert.equal(error.details.at, `${name}.Dockerfile:${message.replace(/:.*/, "")}`);
        if (name === "file") assert.match(String(error.details.fix), /or commit the file/);
        if (name === "copied") {
          const fix = 'Correct line 4 of copied.Dockerfile: "one", which it copies from, has no such path';
          assert.equal(error.details.fix, fix);
        }
        return true;
      });
    }
    const printed = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []).join(
      "",
    );
    assert.match(printed, /^seen$/m);

    const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
    await using store = await LocalStore.open(`${project.home}/other`);
    await using builder = new BuildkitBuilder({
      platform: { os: "linux", architecture },
      store,
      parallel: 1,
    }, { addresses: [parseAddress(daemon.address)], tls: {}, env: {} });
    const step: DockerfileStep = {
      label: "sly",
      signature: await signatureOf(null, []),
      text: `${from}\n`,
      file: "Dockerfile",
      args: {},
      proxies: {},
      bases: [],
      context: [],
      secrets: [],
      ssh: [],
      contextId: await digestOf("sly"),
      cacheScope: "sly",
      epoch: 0,
      compression: { kind: "gzip", level: 2 },
    };
    const io = { signal: new AbortController().signal, output() {} };
    await assert.rejects(builder.buildDockerfile(step, io), {
      code: "STAGE_FAILED",
      message:
        `Cannot build stage "sly": Dockerfile:1: it uses image "${registry}/node:1", which dapp did not see in the Dockerfile ` +
        "and so did not pin",
    });

    // Without downloads, the daemon asks nobody, however an address is written.
    let asked = 0;
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      asked++;
      return new Response("from the daemon's machine");
    });
    const at = `127.0.0.1:${server.addr.port}`;
    for (
      const add of [`http://${at}/x`, `https://${at}/x`, `http://${at}/x.git#main`, `git://${at}/x`, "$FROM"]
    ) {
      const text = `FROM scratch\nARG FROM=http://${at}/y\nADD ${add} /x\n`;
      const network = "none";
      await assert.rejects(builder.buildDockerfile({ ...step, text, network, withoutDownloads: true }, io), {
        code: "STAGE_FAILED",
        message: /with --untrusted and --network none, nothing is read from "(?:https?|git):\/\/127/,
      });
    }
    assert.equal(asked, 0);

    // An image of Docker Hub that is called as a stage is.
    const layers = await Promise.all(
      (await layoutLayers(store, await busyboxBase())).map(({ stored }) => stored),
    );
    const diffIds = layers.map(({ diffId }) => diffId);
    const image = {
      layers,
      config: {
        os: "linux",
        architecture,
        config: { Env: ["PATH=/bin"] },
        rootfs: { type: "layers" as const, diff_ids: diffIds },
      },
    };
    const made = await builder.buildDockerfile({
      ...step,
      text: "FROM \\\n  node AS node\nRUN echo one > /one\nFROM node AS last\nRUN cp /one /two\n",
      bases: [{ name: "node", ambiguous: true, image }],
    }, io);
    assert.equal(made.layers.length, layers.length + 2);
    assert.deepEqual(made.layers.slice(0, layers.length), layers);
    for (const layer of made.layers) if ("blob" in layer) await layer.blob;
  });
});

Deno.test("a shell sees what a failed command left, and what it stood on, with its mounts, user and directory", async () => {
  await withShop(async ({ project, registry, daemon, engine }) => {
    const dockerfile = (last: string) =>
      `FROM ${registry}/node:1 AS wheels
RUN mkdir /dist && echo wheel > /dist/a
FROM ${registry}/jobs:1
ENV WHO=me
WORKDIR /srv
USER 65534
RUN --mount=from=wheels,source=/dist,target=/mnt --mount=type=secret,id=token,mode=0444 \\
  echo half > /tmp/half; ${last}
`;
    const write = (last: string) =>
      project.write({
        "dappfile.yaml":
          "project: shells\n---\ndimg: app\ndockerfile: Dockerfile\nsecrets: [{ id: token, env: TOKEN }]\n",
        "Dockerfile": dockerfile(last),
      });
    await write("exit 7");
    await project.commit();
    const build = (flags: readonly string[], input: string) =>
      run(
        [Deno.execPath(), "run", "-A", new URL("../../cli.ts", import.meta.url).pathname, "dimg", "build"]
          .concat(["-C", project.dir, "--home", project.home, ...flags]),
        { stdin: input, env: { BUILDKIT_HOST: daemon.address, TOKEN: "value" }, allowFailure: true },
      );
    const look =
      "echo $(cat /tmp/half) $(cat /mnt/a) $(pwd) $(id -u) $WHO $(cat /run/secrets/token | wc -c)\n";
    const both = ["--introspect-error", "--introspect-before-error"];
    const failed = await build(both, `${look}exit\n`);
    assert.equal(failed.code, 1);
    assert.match(failed.stdout, /^half wheel \/srv 65534 me 5$/m);
    assert.match(failed.stderr, /app\/dockerfile failed; this shell sees what its command left behind/);
    assert.match(failed.stderr, /this shell sees what its command started from/);
    assert.match(failed.stderr, /Dockerfile:7: .* ended with exit status 7/);
    const before = await build(["--introspect-before-error"], `${look}exit\n`);
    assert.match(before.stdout, /^wheel \/srv 65534 me 5$/m);

    // What is watched is built as what is not.
    await write("true");
    await project.commit();
    const watched = await build(["--introspect-error", "--introspect-before", "dockerfile", "-q"], "");
    assert.equal(watched.code, 0, watched.stderr);
    assert.match(watched.stderr, /No shell before app\/dockerfile: no stage comes before it; --introspect-b/);
    await withTempDir(async (home) => {
      await using other = engine({ home });
      const { images: [image] } = await other.build();
      assert.match(watched.stdout, new RegExp(image!.digest));
    });
  });
});

Deno.test("stages called as images, images upon a Dockerfile, and imports from one", async () => {
  await withShop(async ({ project, registry, engine }) => {
    await project.write({
      "dappfile.yaml": `project: named
---
artifact: files
dockerfile: files.Dockerfile
---
dimg: base
dockerfile: base.Dockerfile
docker: { LABEL: { upon: base } }
---
dimg: app
fromDimg: base
import: [{ artifact: files, add: /made, to: /srv/made, after: setup }]
git: [{ add: /app.txt, to: /app.txt }]
`,
      "files.Dockerfile": `FROM ${registry}/jobs:1\nRUN mkdir /made && echo "$HOME" > /made/home\n`,
      "base.Dockerfile": `FROM \\
  ${registry}/node:1 AS node
RUN echo one > /one
FROM node AS go
RUN echo two > /two
FROM go
ENV BASE=yes
`,
      "app.txt": "app\n",
    });
    await project.commit();
    await using one = engine();
    const { images: [base, app] } = await one.build();
    assert.equal(base?.state.config.config?.Labels?.upon, "base");
    const tree = await imageTree(project.home, app!.state.layers);
    assert.equal(tree.one, "644 0:0 one\n");
    assert.equal(tree.two, "644 0:0 two\n");
    assert.equal(tree["srv/made/home"], "644 0:0 /root\n");
    assert.equal(tree["app.txt"], "644 0:0 app\n");
    assert.ok(app!.state.config.config?.Env?.includes("BASE=yes"));
  });
});
