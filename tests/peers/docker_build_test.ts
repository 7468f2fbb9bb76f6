import assert from "node:assert/strict";
import { debianBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { differences, listTree } from "../support/tree_listing.ts";

const docker = useDocker();

/** The same steps as dappfile stages and as a Dockerfile. */
const steps = {
  beforeInstall: [
    "apt-get update -q",
    "apt-get install -q -y --no-install-recommends libcap2-bin attr",
    // What differs between any two runs of apt, wherever they run.
    "rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old",
  ],
  install: [
    "cp /bin/ping /usr/local/bin/p 2>/dev/null || cp /bin/true /usr/local/bin/p",
    "setcap cap_net_raw+ep /usr/local/bin/p",
    "setfattr -n user.note -v 'a value' /usr/local/bin/p",
    "rm -rf /usr/share/doc /usr/share/locale",
    "rm -r /usr/share/info 2>/dev/null || true; rm -rf /media && echo file >/media",
    "rm /etc/issue.net && mkdir /etc/issue.net && echo inner >/etc/issue.net/inner",
    "rm -rf /srv && mkdir -m 2750 /srv && chown 1234:70000 /srv && ln -s /etc /srv/link && ln /etc/debian_version /srv/hard",
  ],
  setup: [
    "sha256sum /app/src/* >/app/sums && chmod 600 /app/sums && mkdir -p /opt/a/b/c && touch '/opt/a/b/c/ünïcode name'",
  ],
};

Deno.test("a Debian image is entry by entry what docker build makes of the same steps", async () => {
  const base = await debianBase();
  const daemon = docker();
  if (!base || !daemon || !(await peer("umoci")) || !(await peer("skopeo"))) return;
  const dappfile = `
dimg: app
from: oci:${base}:latest
git: [{ add: /app, to: /app, stageDependencies: { setup: ["src/*"] } }]
shell: ${JSON.stringify(steps)}
docker: { ENV: { A: "1" }, CMD: [cat, /app/sums] }
`;
  const files = {
    "app/src/one": "1",
    "app/src/two": "2",
    "app/run.sh": { text: "#!/bin/sh\n", mode: 0o755 },
    "app/link": { link: "src/one" },
  };
  await withProject({ "dappfile.yaml": dappfile, ...files }, async (project) => {
    await using engine = project.engine();
    await engine.build();
    await withTempDir(async (out) => {
      await engine.export([], `oci:${out}/layout:v1`);
      await run(["umoci", "unpack", "--image", `${out}/layout:v1`, `${out}/bundle`]);
      await daemon.load(base, "base:latest");
      const runs = (list: readonly string[]) => `RUN ${list.join(" && ").replaceAll("\n", " ")}`;
      await Deno.writeTextFile(
        `${project.dir}/Dockerfile`,
        [
          "FROM base:latest",
          runs(steps.beforeInstall),
          runs(steps.install.map((s) => `{ ${s}; }`)),
          "COPY app /app",
          runs(steps.setup),
          "ENV A=1",
          'CMD ["cat","/app/sums"]',
        ].join("\n"),
      );
      await daemon.docker(["build", "--network", "host", "-q", "-t", "theirs", project.dir]);
      await daemon.docker(["load", "-i", await archive(engine, out)]);
      const listing = async (image: string, dir: string) => {
        const id = (await daemon.docker(["create", image])).stdout.trim();
        const tar = `${dir}.tar`;
        await daemon.docker(["export", "-o", tar, id]);
        await Deno.mkdir(dir);
        await run(["tar", "-C", dir, "--xattrs", "--xattrs-include=*", "-xpf", tar]);
        await daemon.docker(["rm", id]);
        return await listTree(dir);
      };
      const ours = await listing("app:latest", `${out}/ours`);
      const theirs = await listing("theirs:latest", `${out}/theirs`);
      assert.ok(ours.length > 3000, `${ours.length} rows`);
      assert.ok(ours.some((row) => row.includes("security.capability")));
      assert.deepEqual(differences(theirs, ours), []);
      assert.equal(
        (await daemon.docker(["run", "--rm", "--network", "host", "app:latest"])).stdout,
        (await daemon.docker(["run", "--rm", "--network", "host", "theirs:latest"])).stdout,
      );
    });
  });
});

async function archive(
  engine: { export(p: string[], d: string): Promise<unknown> },
  out: string,
): Promise<string> {
  await engine.export([], `docker-archive:${out}/docker.tar`);
  return `${out}/docker.tar`;
}
