/** Base images and Dockerfiles that a real BuildKit daemon takes from registries and leaves there, counted at the client. */
import assert from "node:assert/strict";
import { type BuiltImage, EngineError, type PushOptions } from "../../mod.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { build, startCounted, twin } from "../support/attacked_build.ts";
import { busyboxBase } from "../support/bases.ts";
import { imageTree } from "../support/image_tree.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyRegistry } from "../support/verify_registry.ts";
import { watchRegistry } from "../support/watched_registry.ts";

/** Of each of the two base images. */
const BASE_BYTES = 8 << 20;

/** A daemon whose talk is counted, a registry with base images, and one to publish in. */
interface Site {
  /** As BUILDKIT_HOST names it. */
  readonly daemon: string;
  readonly origin: MemoryRegistry;
  readonly registry: MemoryRegistry;
  /** Bytes between dapp and all others so far. */
  through(): number;
}

/** Nothing where BuildKit is not found. */
async function withSite(body: (site: Site) => Promise<void>): Promise<void> {
  await using daemon = await startCounted();
  if (!daemon) return;
  await using origin = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  await pushBases(origin);
  const seen = [watchRegistry(origin), watchRegistry(registry)];
  await body({
    daemon: daemon.address,
    origin,
    registry,
    through: () => daemon.talk() + seen.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}

/** `org/tools` and `org/slim`: busybox with a file that does not compress. */
async function pushBases({ host }: MemoryRegistry): Promise<void> {
  const text = ["tools", "slim"].map((name) =>
    `dimg: ${name}
from: oci:${LAYOUT}:latest
shell: { install: ["dd if=/dev/urandom of=/${name} bs=1M count=${BASE_BYTES >> 20}"] }
docker: { ENV: { BASE: ${name} } }
`
  ).join("---\n");
  await withProject({ "dappfile.yaml": text }, async (project) => {
    await using engine = project.engine({ env: { PATH: Deno.env.get("PATH") } });
    await engine.build();
    await engine.push([], { repo: `${host}/org`, tags: [{ flag: "tag", value: "1" }] });
  });
}

const LAYOUT = await busyboxBase();

/** What two images have in common, whoever compressed their layers. */
function contentOf({ state: { config, layers } }: BuiltImage) {
  return { config, diffIds: layers.map(({ diffId }) => diffId) };
}

/** An image of commands and one of a Dockerfile, each with a base of its own. */
const oneOfEach = (host: string) => ({
  "dappfile.yaml": `project: shop
---
dimg: app
from: ${host}/org/tools:1
shell: { install: ["echo one >/one"] }
---
dimg: web
dockerfile: Dockerfile
`,
  "Dockerfile": `FROM ${host}/org/slim:1\nRUN echo two >/two\n`,
});

/** What was said to be brought or looked into. */
function shownIn({ events }: TestProject): readonly string[] {
  return events.flatMap((event) => event.type === "transfer.started" ? [event.what] : []);
}

const dockerfiles = (host: string) => ({
  "dappfile.yaml": `
project: shop
---
dimg: web
dockerfile: Dockerfile
args: { VERSION: "1.2" }
---
artifact: assets
dockerfile: assets.Dockerfile
---
dimg: site
fromDimg: web
git: [{ add: /src, to: /srv/src, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: assets, add: /assets, to: /srv/assets, after: setup }]
shell: { install: ["dd if=/dev/urandom of=/site bs=1M count=2"], setup: ["ls /srv >/listed"] }
docker: { CMD: [cat, /listed] }
`,
  "Dockerfile": `FROM ${host}/org/tools:1 AS build
WORKDIR /src
COPY src .
RUN cat * >/made && dd if=/tools of=/half bs=1M count=4
FROM ${host}/org/slim:1
ARG VERSION
ENV VERSION=$VERSION
COPY --from=build /made /half /app/
RUN rm /etc/group && chmod 2750 /app && ln -s made /app/link
USER 1000
WORKDIR /data
CMD ["/app/made"]
`,
  "assets.Dockerfile": `FROM ${host}/org/slim:1
RUN mkdir /assets && echo one >/assets/one && echo two >/assets/two
`,
  "src/one.js": "1\n",
  "src/two.js": "2\n",
});

Deno.test("less than a hundredth of a Dockerfile's image goes through the client, and the image is the same", async () => {
  await withSite(async ({ daemon, origin, registry, through }) => {
    await withProject(dockerfiles(origin.host), async (project) => {
      const env = { BUILDKIT_HOST: daemon };
      const repo = `${registry.host}/shop`;
      const before = through();
      const built = await build(project, { repo, env });
      const bytes = built.images.flatMap(({ state: { layers } }) => layers).reduce(
        (n, { size }) => n + size,
        0,
      );
      assert.ok(bytes > 2 * BASE_BYTES + 10_000_000, `${bytes} bytes of layers`);
      const count = through() - before;
      assert.ok(count > 10_000, "nothing was counted");
      assert.ok(count < bytes / 100, `${count} of ${bytes} bytes went through the client`);
      assert.deepEqual(Object.keys(registry.tagsOf("shop")).filter((tag) => tag.includes("spare")), []);
      await verifyRegistry(registry.host, "shop");

      const { size } = built.stages.find(({ stage }) => stage === "dockerfile")!;
      assert.ok(size! > 4 << 20 && size! < BASE_BYTES, `${size} bytes are the Dockerfile's own`);

      // Busybox is below both bases.
      assert.equal(shownIn(project).filter((what) => what.startsWith("looking into layer ")).length, 3);

      // Others take all of it, whatever they build with, and the bytes are those of a build without REPO.
      const there = twin(project);
      const taken = await build(there, { repo });
      assert.equal(taken.stagesBuilt, 0);
      assert.deepEqual(taken.images.map(({ digest }) => digest), built.images.map(({ digest }) => digest));
      const alone = await build(twin(project), { env });
      assert.deepEqual(contentOf(alone.images[0]!), contentOf(built.images[0]!));
      const tree = await imageTree(there.home, taken.images[1]!.state.layers);
      assert.equal(tree["app/made"], "644 0:0 1\n2\n");
      assert.equal(tree["srv/src/one.js"], "644 0:0 1\n");
      assert.equal(tree["srv/assets/two"], "644 0:0 two\n");

      // Nothing changed: nothing is built, nothing brought. One file: its image alone, with none of its layers here.
      const unchanged = through();
      assert.equal((await build(project, { repo, env })).stagesBuilt, 0);
      assert.ok(through() - unchanged < 1000);
      await project.write({ "src/one.js": "3\n" });
      await project.commit();
      const changed = through();
      const next = await build(project, { repo, env });
      assert.notEqual(next.images[0]!.digest, built.images[0]!.digest);
      assert.ok(through() - changed < bytes / 100, `${through() - changed} bytes`);

      // What is wanted here is brought.
      await withTempDir(async (out) => {
        await using engine = project.engine({ repo, env });
        await engine.export(["site"], `oci:${out}/layout`);
      });
    });
  });
});

Deno.test("less than a hundredth of base images and what commands write upon them goes through the client", async () => {
  await withSite(async ({ daemon, origin, registry, through }) => {
    // One registry has base and REPO, and takes the layers over; to the other one the daemon carries them.
    for (const host of [origin.host, registry.host]) {
      const text = `
dimg: app
from: ${origin.host}/org/tools:1
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["cat /tools >/copied"], setup: ["ls /app >/listed"] }
`;
      await withProject({ "dappfile.yaml": text, "src/one": "1\n" }, async (project) => {
        const env = { BUILDKIT_HOST: daemon };
        const repo = `${host}/shop`;
        const before = through();
        const built = await build(project, { repo, env });
        const bytes = built.images[0]!.state.layers.reduce((n, { size }) => n + size, 0);
        assert.ok(bytes > 2 * BASE_BYTES, `${bytes} bytes of layers`);
        assert.ok(through() - before < bytes / 100, `${through() - before} of ${bytes} bytes`);
        await verifyRegistry(host, "shop");
        const shown = shownIn(project);
        assert.equal(shown.filter((what) => what.startsWith("looking into layer ")).length, 2);
        assert.equal(shown.filter((what) => what.startsWith("bringing ")).length, 1);
        const taken = await build(twin(project), { repo });
        assert.equal(taken.stagesBuilt, 0);
        assert.equal(taken.images[0]!.digest, built.images[0]!.digest);
        const alone = await build(twin(project), {});
        assert.deepEqual(contentOf(alone.images[0]!), contentOf(built.images[0]!));
      });
    }
  });
});

Deno.test("what bp carries only because stages are not published is said, and with --with-stages not carried", async () => {
  await withSite(async ({ daemon, origin, registry, through }) => {
    const text =
      `dimg: app\nfrom: ${origin.host}/org/slim:1\nshell: { install: ["cat /slim /slim >/twice"] }\n`;
    await withProject({ "dappfile.yaml": text }, async (project) => {
      const push = async (project: TestProject, options: Omit<PushOptions, "build" | "repo">) => {
        const before = through();
        await using engine = project.engine({ env: { BUILDKIT_HOST: daemon } });
        await engine.push([], { build: true, repo: `${registry.host}/shop`, ...options });
        const notes = project.events.flatMap((e) => e.type === "note" && e.level === "info" ? [e.text] : []);
        return { bytes: through() - before, said: notes.filter((text) => text.includes("--with-stages")) };
      };
      const written = 2 * BASE_BYTES;
      const plain = await push(twin(project), { tags: [{ flag: "tag", value: "1" }] });
      assert.ok(plain.bytes > 2 * written, `${plain.bytes} bytes`);
      assert.match(
        plain.said.join("\n"),
        /^17 MB of layers came from where commands ran, and went to REPO from here\. /,
      );
      const direct = await push(twin(project), { tags: [{ flag: "tag", value: "2" }], withStages: true });
      assert.ok(direct.bytes < written / 100, `${direct.bytes} bytes`);
      assert.deepEqual(direct.said, []);
      await verifyRegistry(registry.host, "shop/app");
    });
  });
});

Deno.test("registries of bases get the login that dapp has for them, and no other", async () => {
  await withSite(async ({ daemon, origin, registry }) => {
    const realm = `http://${origin.host}/token`;
    origin.auth = { kind: "bearer", user: "reader", password: "of-bases", realm };
    registry.auth = { kind: "basic", user: "writer", password: "of-repo" };
    const auth = { [origin.host]: { auth: btoa("reader:of-bases") } };
    await withProject(oneOfEach(origin.host), async (project) => {
      const options = {
        repo: `${registry.host}/shop`,
        registry: { username: "writer", password: "of-repo" },
        env: { BUILDKIT_HOST: daemon, DOCKER_AUTH_CONFIG: JSON.stringify({ auths: auth }) },
      };
      const built = await build(project, options);
      assert.equal(built.stagesBuilt, 3);
      assert.deepEqual(
        project.events.flatMap((e) => e.type === "note" && e.level === "warn" ? [e.text] : []),
        [],
      );
      assert.equal((await build(twin(project), options)).stagesBuilt, 0);
      const shown = (server: MemoryRegistry) =>
        server.seen.flatMap(({ authorization = "" }) =>
          authorization.startsWith("Basic ") ? [atob(authorization.slice(6))] : []
        );
      assert.deepEqual([...new Set(shown(registry))], ["writer:of-repo"]);
      assert.deepEqual([...new Set(shown(origin))], ["reader:of-bases"]);
    });
  });
});

Deno.test("a base that the daemon cannot reach goes through the client, which says so", async () => {
  await withSite(async ({ daemon, origin, registry }) => {
    origin.fault(
      (request) =>
        request.headers.get("user-agent")?.startsWith("dapp") ? undefined : new Response("", { status: 403 }),
      Infinity,
    );
    await withProject(oneOfEach(origin.host), async (project) => {
      const options = { repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: daemon } };
      const built = await build(project, options);
      assert.equal(built.stagesBuilt, 3);
      const notes = project.events.flatMap((e) => e.type === "note" && e.level === "warn" ? [e.text] : []);
      for (const name of ["tools", "slim"]) {
        const said = notes.filter((text) =>
          text.startsWith(`${origin.host}/org/${name}:1 goes through this machine: `)
        );
        assert.equal(said.length, 1, notes.join("\n"));
      }
      await verifyRegistry(registry.host, "shop");

      // What was found out before the daemon lost its way is no reason to fail.
      await project.write({ "Dockerfile": `FROM ${origin.host}/org/slim:1\nRUN echo three >/three\n` });
      await project.commit();
      assert.equal((await build(project, options)).stagesBuilt, 1);
    });
  });
});

Deno.test("a build without commands asks no daemon for its base", async () => {
  await using origin = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  const { layers: [layer] } = await origin.addImage("base", "1", {
    layers: [new Uint8Array(1024)],
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
  });
  const text = `dimg: app\nfrom: ${origin.host}/base:1\ngit: [{ add: /src, to: /app }]\n`;
  await withProject({ "dappfile.yaml": text, "src/one": "1\n" }, async (project) => {
    const env = { BUILDKIT_HOST: "unix:///nowhere/buildkitd.sock" };
    const { images } = await build(project, { repo: `${registry.host}/shop`, env });
    assert.equal(images[0]!.state.layers[0]!.digest, layer!.digest);
    assert.deepEqual(
      project.events.flatMap((e) => e.type === "note" && e.text.includes("goes through") ? [e] : []),
      [],
    );
    await verifyRegistry(registry.host, "shop");
  });
});

Deno.test("a base whose layers hold something else than its configuration says is refused where it is", async () => {
  await withSite(async ({ daemon, origin, registry }) => {
    const { config: named, layers = [] } = origin.documentOf("org/slim", origin.tagsOf("org/slim")["1"]!)!;
    const config = JSON.parse(new TextDecoder().decode(origin.blobOf("org/slim", named!.digest)));
    config.rootfs.diff_ids.reverse();
    const lying = await origin.addBlob("org/slim", new TextEncoder().encode(JSON.stringify(config)));
    const document = {
      mediaType: mediaTypes.manifest,
      schemaVersion: 2,
      config: { ...named, ...lying },
      layers,
    };
    await origin.addManifest("org/slim", document, "lying");
    const from = `${origin.host}/org/slim:lying`;
    const dappfiles = {
      "base": `dimg: app\nfrom: ${from}\nshell: { install: ["echo one >/one"] }\n`,
      "Dockerfile": "dimg: app\ndockerfile: Dockerfile\n",
    };
    for (const [name, text] of Object.entries(dappfiles)) {
      const files = { "dappfile.yaml": text, "Dockerfile": `FROM ${from}\nRUN echo one >/one\n` };
      await withProject(files, async (project) => {
        const options = { repo: `${registry.host}/${name.toLowerCase()}`, env: { BUILDKIT_HOST: daemon } };
        await assert.rejects(build(project, options), (error) => {
          assert.ok(error instanceof EngineError, String(error));
          assert.equal(error.code, "LAYER_INVALID");
          assert.match(error.message, /its content has digest sha256:\w+, the image says sha256:/);
          return true;
        });
      });
    }
  });
});
