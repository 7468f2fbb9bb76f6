/** Dockerfiles built by a real BuildKit daemon, beside what its own client builds of the same directory. */
import assert from "node:assert/strict";
import { createEngine, type Engine, type EngineOptions } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { type Buildkitd, findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { imageTree } from "../support/image_tree.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

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
