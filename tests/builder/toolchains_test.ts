/** Three services with the real toolchains of Node.js, Go and Python, each with its Dockerfile, from the build to the cleanup. */
import assert from "node:assert/strict";
import { type BuildResult, createEngine } from "../../mod.ts";
import { toolchainBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { imageTree } from "../support/image_tree.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

/** What they depend on is in the project: nothing is asked of a package registry. */
const files = (registry: string) => ({
  "dappfile.yaml": `project: services
---
dimg: web
dockerfile: Dockerfile
context: web
---
dimg: api
dockerfile: Dockerfile
context: api
args: { VERSION: "1.4.0" }
---
dimg: jobs
dockerfile: Dockerfile
context: jobs
`,
  "web/Dockerfile": `FROM ${registry}/node:18 AS build
WORKDIR /src
COPY package.json ./
COPY vendor ./vendor
RUN mkdir node_modules && cp -r vendor/greet node_modules/greet
COPY . .
RUN node --test test/ && node build.mjs

FROM ${registry}/node:18
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY package.json ./
RUN node dist/server.js --check
USER nobody
EXPOSE 8080
CMD ["node", "dist/server.js"]
`,
  "web/.dockerignore": "node_modules\n*.md\n",
  "web/README.md": "not copied\n",
  "web/package.json": '{"name":"web","type":"module","dependencies":{"greet":"file:vendor/greet"}}\n',
  "web/build.mjs": `import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
mkdirSync("dist");
const banner = "// built by node " + process.versions.node.split(".")[0] + "\\n";
writeFileSync("dist/server.js", banner + readFileSync("src/server.js", "utf8"));
`,
  "web/src/server.js": `import { createServer } from "node:http";
import { greet } from "greet";
if (process.argv.includes("--check")) console.log(greet("check"));
else createServer((_, response) => response.end(greet("web"))).listen(8080);
`,
  "web/test/greet.test.js": `import assert from "node:assert";
import test from "node:test";
import { greet } from "greet";
test("greets", () => assert.equal(greet("you"), "hello, you"));
`,
  "web/vendor/greet/package.json": '{"name":"greet","version":"1.0.0","type":"module","main":"index.js"}\n',
  "web/vendor/greet/index.js": "export const greet = (name) => `hello, ${name}`;\n",
  "api/Dockerfile": `FROM ${registry}/golang:1.19 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod ./
COPY vendor ./vendor
COPY cmd ./cmd
RUN --mount=type=cache,target=/root/.cache/go-build \\
    CGO_ENABLED=0 go build -mod=vendor -ldflags "-s -w -X main.version=$VERSION" -o /out/server ./cmd/server \\
    && /out/server -version

FROM scratch
COPY --from=build /out/server /server
USER 65534
EXPOSE 8081
ENTRYPOINT ["/server"]
`,
  "api/go.mod": "module example.com/api\n\ngo 1.19\n\nrequire example.com/greet v1.0.0\n",
  "api/vendor/modules.txt": "# example.com/greet v1.0.0\n## explicit; go 1.19\nexample.com/greet\n",
  "api/vendor/example.com/greet/greet.go":
    'package greet\n\nfunc Greet(name string) string { return "hello, " + name }\n',
  "api/cmd/server/main.go": `package main

import (
	"flag"
	"fmt"
	"net"
	"os"

	"example.com/greet"
)

var version = "dev"

func main() {
	show := flag.Bool("version", false, "say the version")
	flag.Parse()
	if *show {
		fmt.Println(greet.Greet(version))
		return
	}
	listener, err := net.Listen("tcp", ":8081")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		fmt.Fprintln(connection, greet.Greet("api"))
		connection.Close()
	}
}
`,
  "jobs/Dockerfile": `FROM ${registry}/python:3.11
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app/site
WORKDIR /app
COPY libs /tmp/libs
RUN pip3 install --no-index --no-deps --no-build-isolation --no-compile --no-cache-dir --target=/app/site /tmp/libs/greet \\
    && rm -rf /tmp/libs
COPY app ./app
RUN python3 -m unittest discover -s app
USER nobody
CMD ["python3", "-m", "app"]
`,
  "jobs/libs/greet/setup.py":
    'from setuptools import setup\n\nsetup(name="greet", version="1.0", packages=["greet"])\n',
  "jobs/libs/greet/greet/__init__.py": 'def greet(name):\n    return f"hello, {name}"\n',
  "jobs/app/__main__.py": 'from greet import greet\n\nprint(greet("jobs"))\n',
  "jobs/app/test_greet.py": `import unittest

from greet import greet


class GreetTest(unittest.TestCase):
    def test_greet(self):
        self.assertEqual(greet("you"), "hello, you")
`,
});

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  api: ["--opt", "build-arg:VERSION=1.4.0"],
};

/** What BuildKit's own client makes of the same directory has the same configuration and the same files. */
async function compare(address: string, { dir, home }: TestProject, image: BuildResult["images"][number]) {
  const program = `${(await findBuildkitd())!.replace(/buildkitd$/, "")}buildctl`;
  await withTempDir(async (out) => {
    await run([
      ...[program, "--addr", address, "build", "--frontend", "dockerfile.v0", "--no-cache"],
      ...["--local", `context=${dir}/${image.name}`, "--local", `dockerfile=${dir}/${image.name}`],
      ...["--output", `type=oci,tar=false,dest=${out}`, ...OPTIONS[image.name] ?? []],
    ]);
    const blob = async (digest: string) =>
      JSON.parse(await Deno.readTextFile(`${out}/blobs/sha256/${digest.slice(7)}`));
    const { manifests } = JSON.parse(await Deno.readTextFile(`${out}/index.json`));
    const { config: { digest }, layers } = await blob(manifests[0].digest);
    const { config } = await blob(digest);
    assert.deepEqual(image.state.config.config, config, image.name);
    // The base is one layer, the same for both.
    const own = image.state.layers;
    const below = own[0]!.digest === layers[0].digest ? 1 : 0;
    assert.equal(below, image.name === "api" ? 0 : 1);
    const trees = [await imageTree(home, own.slice(below)), await imageTree(out, layers.slice(below))];
    assert.deepEqual(trees[0], trees[1], image.name);
    assert.ok(Object.keys(trees[0]!).length > 0);
  });
}

Deno.test("services in Node.js, Go and Python are built as BuildKit's client builds them, published, shared, explained and cleaned", async () => {
  if (await findBuildkitd() === undefined) return;
  const layout = await toolchainBase();
  if (layout === undefined) return;
  await using daemon = await startBuildkitd();
  await using server = await startDockerRegistry();
  if (!daemon || !server) return;
  for (const name of ["node:18", "golang:1.19", "python:3.11"]) {
    await run(
      [
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        `oci:${layout}:latest`,
        `docker://${server.host}/${name}`,
      ],
    );
  }
  await withProject(files(server.host), async (project) => {
    const env = { ...Deno.env.toObject(), BUILDKIT_HOST: daemon.address };
    const repo = `${server.host}/services`;
    const texts = async () => ({
      web: await Deno.readTextFile(`${project.dir}/web/Dockerfile`),
      api: await Deno.readTextFile(`${project.dir}/api/Dockerfile`),
      jobs: await Deno.readTextFile(`${project.dir}/jobs/Dockerfile`),
    });
    const before = await texts();
    await using engine = project.engine({ env });
    const built = await engine.build();
    assert.deepEqual([built.images.map(({ name }) => name), built.stagesBuilt], [["web", "api", "jobs"], 3]);
    const said = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []).join(
      "",
    );
    for (const line of [/hello, check/, /hello, 1\.4\.0/, /Successfully installed greet-1\.0/]) {
      assert.match(said, line);
    }
    for (const image of built.images) await compare(daemon.address, project, image);
    assert.deepEqual(await texts(), before);

    const tags = [{ flag: "tag", value: "1.4.0" }];
    const { images } = await engine.push([], { repo, tags, withStages: true });
    assert.deepEqual(images.map(({ name }) => name), ["web", "api", "jobs"]);
    await withTempDir(async (home) => {
      await using other = createEngine({ dir: project.dir, home, repo, env: { PATH: Deno.env.get("PATH") } });
      const taken = await other.build();
      assert.equal(taken.stagesBuilt, 0);
      const digests = (result: BuildResult) => result.images.map(({ digest }) => digest);
      assert.deepEqual(digests(taken), digests(built));
    });

    await project.write({
      "web/vendor/greet/index.js": "export const greet = (name) => ['hello', name].join(', ');\n",
    });
    await project.commit("greet otherwise");
    await using changed = project.engine({ env });
    const { images: [explained] } = await changed.explain("web");
    assert.match(JSON.stringify(explained!.stages), /vendor\/greet\/index\.js/);
    const again = await changed.build([], { stages: true });
    assert.deepEqual(again.stages.flatMap(({ image, state }) => state === "built" ? [image] : []), ["web"]);
    await changed.push([], { repo, tags, withStages: true });
    const plan = await changed.planCleanup({ repo, stages: "unneeded" });
    assert.deepEqual(plan.counts.keep.image, 3);
    await changed.applyCleanup(plan);
    const tree =
      (await run(["skopeo", "inspect", "--tls-verify=false", `docker://${repo}/web:1.4.0`])).stdout;
    assert.match(tree, /"Digest"/);
  });
});
