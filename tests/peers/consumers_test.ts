import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { isRoot, peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { differences, listTree } from "../support/tree_listing.ts";

const docker = useDocker();

const dappfile = (base: string) =>
  `project: consumers
---
artifact: assets
from: oci:${base}:latest
git: [{ add: /web, to: /src, stageDependencies: { buildArtifact: ["**/*"] } }]
shell:
  buildArtifact:
    - mkdir -p /out/deep
    - tr a-z A-Z </src/index.html >/out/index.html
    - ln -s ../index.html /out/deep/link
---
dimg: app
from: oci:${base}:latest
git:
  - { add: /app, to: /app, stageDependencies: { install: [deps], setup: ["src/*"] } }
import: [{ artifact: assets, add: /out, to: /app/public, after: setup, owner: 65534, group: 65534 }]
mount: [{ from: tmp_dir, to: /var/cache/build }]
shell:
  beforeInstall:
    - mkdir -p /opt/tool/bin /var/lib/data && echo tool >/opt/tool/bin/run && chmod 4755 /opt/tool/bin/run
    - ln /opt/tool/bin/run /opt/tool/bin/same && ln -s run /opt/tool/bin/alias
    - mkdir /opt/gone && echo x >/opt/gone/file && mkdir -p "/opt/odd name/ü" && touch "/opt/odd name/ü/q'uote"
    - mkdir /opt/becomes-file && echo x >/opt/becomes-dir && chmod 1777 /var/lib/data
  install:
    - test "$(cat /app/deps)" = one && test ! -e /app/src
    - rm -r /opt/gone && rm -r /opt/becomes-file && echo f >/opt/becomes-file
    - rm /opt/becomes-dir && mkdir /opt/becomes-dir && echo d >/opt/becomes-dir/inner && rm /opt/tool/bin/same
    - rm -r "/opt/odd name" && mkdir "/opt/odd name" && echo new >"/opt/odd name/new"
    - echo scratch >/var/cache/build/never
  setup:
    - cat /app/src/* >/app/joined && rm /bin/vi && mkfifo /var/lib/data/pipe && chown 12345:3000 /var/lib/data
docker: { CMD: [/bin/cat, /app/joined], WORKDIR: /app, ENV: { GREETING: hello } }
`;

const files = {
  "web/index.html": "hi\n",
  "app/deps": "one",
  "app/src/a": "A\n",
  "app/src/b": "B\n",
  "app/run.sh": { text: "#!/bin/sh\necho run\n", mode: 0o755 },
  "app/rest": "rest",
};

async function withBuilt(
  body: (project: TestProject, out: string, digest: string) => Promise<void>,
): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), ...files }, async (project) => {
    await using engine = project.engine();
    const { images } = await engine.build();
    await withTempDir(async (out) => {
      await engine.export([], `oci:${out}/layout:v1`);
      await engine.export([], `docker-archive:${out}/docker.tar`);
      await engine.export([], `oci-archive:${out}/oci.tar`);
      await body(project, out, images[0]!.digest);
    });
  });
}

Deno.test("exported images are read alike by skopeo, umoci, buildah and docker", async (t) => {
  const tools = await Promise.all(["skopeo", "umoci", "buildah"].map(peer));
  if (tools.includes(undefined) || !isRoot()) return;
  await withBuilt(async (_, out, digest) => {
    await t.step("skopeo inspects and copies", async () => {
      const raw = JSON.parse((await run(["skopeo", "inspect", `oci:${out}/layout:v1`])).stdout);
      assert.equal(raw.Digest, digest);
      assert.deepEqual(raw.Env, ["PATH=/bin", "GREETING=hello"]);
      await run(["skopeo", "copy", "-q", `oci:${out}/layout:v1`, `dir:${out}/dir`]);
      await run(["skopeo", "copy", "-q", `oci-archive:${out}/oci.tar`, `oci:${out}/again:v1`]);
      await run(["skopeo", "copy", "-q", `docker-archive:${out}/docker.tar`, `oci:${out}/fromdocker:v1`]);
    });
    let wanted: string[] = [];
    await t.step("umoci unpacks what the commands made", async () => {
      await run(["umoci", "unpack", "--image", `${out}/layout:v1`, `${out}/bundle`]);
      wanted = await listTree(`${out}/bundle/rootfs`);
      const rows = wanted.join("\n");
      for (
        const row of [
          `'./opt/tool/bin/run'\tregular file 4755 0:0`,
          `'./opt/tool/bin/alias' -> 'run'\tsymbolic link`,
          `'./opt/becomes-file'\tregular file`,
          `'./opt/becomes-dir'\tdirectory`,
          `'./opt/odd name/new'\tregular file`,
          `'./app/public/deep/link' -> '../index.html'\tsymbolic link 777 65534:65534`,
          `'./var/lib/data'\tdirectory 1777 12345:3000`,
          `'./var/lib/data/pipe'\tfifo`,
          `'./app/rest'\tregular file 644 0:0`,
        ]
      ) assert.ok(rows.includes(row), `${row} is missing in\n${rows}`);
      for (const path of ["opt/gone", "ü", "bin/same", "bin/vi'", "cache/build/never"]) {
        assert.ok(!rows.includes(path), `${path} is there`);
      }
    });
    await t.step("buildah mounts the same tree", async () => {
      const storage = ["--root", `${out}/bs`, "--runroot", `${out}/br`, "--storage-driver", "vfs"];
      const name = (await run(["buildah", ...storage, "from", `oci:${out}/layout:v1`])).stdout.trim();
      const mount = (await run(["buildah", ...storage, "mount", name])).stdout.trim();
      assert.deepEqual(differences(wanted, await listTree(mount)), []);
      await run(["buildah", ...storage, "rm", name]);
    });
    await t.step("docker loads, runs and exports the same tree", async () => {
      const daemon = docker();
      if (!daemon) return;
      const loaded = (await daemon.docker(["load", "-i", `${out}/docker.tar`])).stdout;
      const name = loaded.match(/Loaded image: (\S+)/)?.[1];
      assert.ok(name, loaded);
      assert.equal((await daemon.docker(["run", "--rm", "--network", "host", name])).stdout, "A\nB\n");
      const id = (await daemon.docker(["create", name])).stdout.trim();
      await daemon.docker(["export", "-o", `${out}/export.tar`, id]);
      await Deno.mkdir(`${out}/exported`);
      await run([
        "tar",
        "-C",
        `${out}/exported`,
        "--xattrs",
        "--xattrs-include=*",
        "-xpf",
        `${out}/export.tar`,
      ]);
      const own =
        /^'\.\/(\.dockerenv|dev|proc|sys|etc|etc\/(hosts|hostname|resolv\.conf|mtab))(\/[^']*)?'|\.\/(\.dockerenv|dev\/.*|etc\/(hosts|hostname|resolv\.conf))$/;
      const there = await listTree(`${out}/exported`, { without: [own] });
      assert.deepEqual(differences(wanted.filter((row) => !own.test(row)), there), []);
      await daemon.docker(["rm", id]);
    });
  });
});

Deno.test("two builds from empty stores on different paths give the same manifest digest", async () => {
  const digests: string[] = [];
  for (let i = 0; i < 2; i++) await withBuilt((_, __, digest) => Promise.resolve(void digests.push(digest)));
  assert.equal(digests[0], digests[1]);
});
