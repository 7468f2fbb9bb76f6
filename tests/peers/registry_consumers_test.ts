import assert from "node:assert/strict";
import type { TestProject } from "../support/project.ts";
import { busyboxBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { isRoot, peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { openProject, takeBuilt, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { differences, listTree } from "../support/tree_listing.ts";
import { verifyLayout, verifyRegistry } from "../support/verify_registry.ts";

const docker = useDocker();

const dappfile = (base: string) => `
project: consumers
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell:
  install:
    - mkdir -p /opt/tool /opt/gone && echo tool >/opt/tool/run && chmod 4755 /opt/tool/run && echo x >/opt/gone/x
    - ln /opt/tool/run /opt/tool/same && ln -s run /opt/tool/alias
  setup:
    - rm -r /opt/gone && cat /app/* >/all && chown 12345:3000 /all && rm /bin/vi
docker: { CMD: [/bin/cat, /all], LABEL: { org.opencontainers.image.version: own, mine: label } }
`;

const files = { "src/a": "A\n", "src/b": "B\n" };

/** The settings that keep buildah within a directory. */
const buildahIn = (
  dir: string,
) => ["buildah", "--root", `${dir}/bs`, "--runroot", `${dir}/br`, "--storage-driver", "vfs"];

async function inspect(name: string, ...more: string[]) {
  const argv = ["skopeo", "inspect", "--tls-verify=false", ...more, `docker://${name}`];
  return JSON.parse((await run(argv)).stdout);
}

/** What docker adds to every container. */
const added =
  /^'\.\/(\.dockerenv|dev|proc|sys|etc|etc\/(hosts|hostname|resolv\.conf|mtab))(\/[^']*)?'|\.\/(\.dockerenv|dev\/.*|etc\/(hosts|hostname|resolv\.conf))$/;

Deno.test("published images and stages are read alike by skopeo, umoci, buildah and docker", async () => {
  const tools = await Promise.all(["skopeo", "umoci", "buildah"].map(peer));
  await using registry = await startDockerRegistry();
  if (tools.includes(undefined) || !registry || !isRoot()) return;
  const { host } = registry;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), ...files }, async (project) => {
    const repo = `${host}/group/shop`;
    await using engine = project.engine({ repo });
    const built = await engine.build();
    const report = await engine.push([], {
      repo,
      tags: [{ flag: "tag", value: "v1" }, { flag: "tag-commit" }],
    });
    const { signature } = built.images[0]!;
    const commit = await project.git("rev-parse", "HEAD");
    await withTempDir(async (out) => {
      const image = `${repo}/app:v1`;
      const stage = `${repo}:dimgstage-${signature}`;
      const trees: string[][] = [];
      for (const [i, name] of [image, `${repo}/app:${commit}`, stage].entries()) {
        await run([
          "skopeo",
          "copy",
          "-q",
          "--src-tls-verify=false",
          `docker://${name}`,
          `oci:${out}/layout:${i}`,
        ]);
        await run(["umoci", "unpack", "--image", `${out}/layout:${i}`, `${out}/bundle-${i}`]);
        trees.push(await listTree(`${out}/bundle-${i}/rootfs`));
        const buildah = buildahIn(out);
        const container = (await run([...buildah, "from", "--tls-verify=false", `docker://${name}`])).stdout
          .trim();
        const mount = (await run([...buildah, "mount", container])).stdout.trim();
        assert.deepEqual(differences(trees[0]!, await listTree(mount)), [], `buildah ${name}`);
        await run([...buildah, "rm", container]);
        const daemon = docker();
        if (!daemon) continue;
        await daemon.docker(["pull", "-q", name]);
        assert.equal((await daemon.docker(["run", "--rm", "--network", "none", name])).stdout, "A\nB\n");
        const id = (await daemon.docker(["create", name])).stdout.trim();
        await daemon.docker(["export", "-o", `${out}/export.tar`, id]);
        await Deno.mkdir(`${out}/exported-${i}`);
        await run(["tar", "-C", `${out}/exported-${i}`, "-xpf", `${out}/export.tar`]);
        const there = await listTree(`${out}/exported-${i}`, { without: [added] });
        assert.deepEqual(
          differences(trees[0]!.filter((row) => !added.test(row)), there),
          [],
          `docker ${name}`,
        );
        await daemon.docker(["rm", id]);
      }
      for (const tree of trees) assert.deepEqual(differences(trees[0]!, tree), []);
      assert.ok(trees[0]!.some((row) => row.includes("'./opt/tool/run'\tregular file 4755 0:0")));
      assert.ok(!trees[0]!.some((row) => row.includes("gone") || row.includes("bin/vi'")));

      const seen = await inspect(image);
      assert.equal(seen.Digest, report.images[0]!.tags[0]!.digest);
      assert.deepEqual(new Set(seen.RepoTags), new Set([commit, "v1"]));
      const facts = {
        "dapp": "consumers",
        "dapp-dimg": "true",
        "dapp-dimg-name": "app",
        "dapp-tag-scheme": "custom",
        "dapp-tag-value": "v1",
        "dapp-commit": commit,
        "dapp-tree": await project.git("rev-parse", "HEAD^{tree}"),
        "dapp-signature": signature,
        "org.opencontainers.image.revision": commit,
      };
      const version = "org.opencontainers.image.version";
      assert.deepEqual(seen.Labels, { ...facts, [version]: "own", mine: "label" });
      const { annotations } = await inspect(image, "--raw");
      const { "dapp-stages": stages, "org.opencontainers.image.created": created, ...rest } = annotations;
      const base = "org.opencontainers.image.base";
      const { [`${base}.name`]: baseName, [`${base}.digest`]: baseDigest, ...own } = rest;
      assert.deepEqual(own, { ...facts, [version]: "v1" });
      assert.deepEqual([baseName.startsWith("oci:"), baseDigest.startsWith("sha256:")], [true, true]);
      assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const chain = JSON.parse(stages) as { image: string; stages: { signature: string }[] }[];
      assert.equal(chain[0]!.stages.at(-1)!.signature, signature);

      const marks = await inspect(stage, "--raw");
      assert.equal(marks.annotations["dapp-dimg"], "false");
      assert.equal(marks.annotations["dapp-signature"], signature);
      assert.equal(marks.annotations["dapp-previous"], chain[0]!.stages.at(-2)!.signature);
    });
  });
});

Deno.test("an index over two platforms is read by skopeo and docker; pushed again, nothing is sent", async () => {
  const skopeo = await peer("skopeo");
  await using registry = await startDockerRegistry();
  if (!registry || !skopeo) return;
  const { host } = registry;
  const text = `dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\ndocker: { CMD: [/none] }\n`;
  await withProject({ "dappfile.yaml": text, ...files }, async (project) => {
    const repo = `${host}/many`;
    await using engine = project.engine({ platform: "linux/amd64,linux/arm64" });
    const { images } = await engine.build();
    assert.equal(images.length, 2);
    const options = { repo, withStages: true, tags: [{ flag: "tag", value: "v1" }] };
    const first = await engine.push([], options);
    const second = await engine.push([], options);
    const digest = first.images[0]!.tags[0]!.digest;
    assert.deepEqual(second.images[0]!.tags.map((t) => [t.state, t.digest]), [["exists", digest]]);
    assert.ok(second.stages.every(({ state }) => state === "exists"));
    assert.equal(second.bytes.uploaded, 0);
    // Another server, which has never seen what is there.
    await using other = openProject(project.dir, `${project.home}-2`).engine({
      platform: "linux/amd64,linux/arm64",
    });
    await other.build();
    const third = await other.push([], options);
    assert.deepEqual(third.images[0]!.tags.map((t) => [t.state, t.digest]), [["exists", digest]]);
    const { manifests } = await inspect(`${repo}/app:v1`, "--raw");
    const platforms = manifests.map(({ platform }: { platform: unknown }) => platform);
    assert.deepEqual(platforms, [{ architecture: "amd64", os: "linux" }, {
      architecture: "arm64",
      os: "linux",
    }]);
    for (const architecture of ["amd64", "arm64"]) {
      const name = `${repo}/app:v1`;
      const argv = [
        "skopeo",
        "--override-arch",
        architecture,
        "inspect",
        "--tls-verify=false",
        `docker://${name}`,
      ];
      assert.equal(JSON.parse((await run(argv)).stdout).Architecture, architecture);
      const daemon = docker();
      if (!daemon) continue;
      await daemon.docker(["pull", "-q", "--platform", `linux/${architecture}`, name]);
      const { stdout } = await daemon.docker(["image", "inspect", "-f", "{{.Architecture}}", name]);
      assert.equal(stdout.trim(), architecture);
    }
    await verifyRegistry(host, "many/app");
    // The same, from one layout to another registry.
    await engine.push([], { ...options, repo: `oci:${project.home}/layout` });
    const from = `oci:${project.home}/layout:app-v1`;
    await run([
      "skopeo",
      "copy",
      "-q",
      "--all",
      "--dest-tls-verify=false",
      from,
      `docker://${host}/copy:app-v1`,
    ]);
    await using reader = project.engine({ platform: "linux/amd64,linux/arm64" });
    const { images: rows } = await reader.published([], { repo: `${host}/copy` });
    assert.deepEqual(rows.map(({ name, tags }) => [name, tags.map(({ tag }) => tag)]), [["app", ["app-v1"]]]);
  });
});

Deno.test("what skopeo copies from a layout to a registry and back serves other servers like the first place", async () => {
  const skopeo = await peer("skopeo");
  await using registry = await startDockerRegistry();
  if (!registry || !skopeo) return;
  const { host } = registry;
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), ...files }, async (project) => {
    const layout = `${project.home}/repo`;
    await using first = project.engine({ repo: `oci:${layout}` });
    const { images: [wanted] } = await first.build();
    await first.push([], { repo: `oci:${layout}`, withStages: true, tags: [{ flag: "tag-branch" }] });
    const tags = await verifyLayout(layout);
    for (const tag of Object.keys(tags)) {
      const to = `docker://${host}/copy:${tag}`;
      await run(["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", `oci:${layout}:${tag}`, to]);
    }
    assert.deepEqual(await verifyRegistry(host, "copy"), tags);
    for (const tag of Object.keys(tags)) {
      const from = `docker://${host}/copy:${tag}`;
      await run([
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--src-tls-verify=false",
        from,
        `oci:${layout}-back:${tag}`,
      ]);
    }
    assert.deepEqual(await verifyLayout(`${layout}-back`), tags);
    for (const [i, repo] of [`${host}/copy`, `oci:${layout}-back`].entries()) {
      await takesAll(openProject(project.dir, `${project.home}-${i}`), repo, wanted!.digest);
    }
  });
});

/** Another server takes from REPO all that there is. */
async function takesAll(server: TestProject, repo: string, digest: string): Promise<void> {
  await using engine = server.engine({ repo });
  const { stages } = await engine.pullStages([], { all: true });
  assert.deepEqual(new Set(stages.map(({ state }) => state)), new Set(["pulled"]));
  const { images, stagesBuilt } = await engine.build();
  assert.deepEqual([stagesBuilt, images[0]!.digest, takeBuilt(server)], [0, digest, []]);
  const published = await engine.published();
  assert.deepEqual(published.images.map(({ name, tags }) => [name, tags.map(({ tag }) => tag)]), [["app", [
    "app-main",
  ]]]);
  assert.deepEqual((await engine.checkStore()).problems, []);
}
