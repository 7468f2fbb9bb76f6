/** REPO says of blobs that it has them, and has lost them: nothing is published upon them, and what can be made is sent again. */
import assert from "node:assert/strict";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const base = { layers: [[{ path: "etc/", type: "dir" as const }, { path: "etc/os", text: "a base\n" }]] };
const dappfile = `
dimg: web
from: oci:../base:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: [one] } }]
shell: { install: [write installed 3], setup: [write made 4] }
docker: { CMD: [app] }
`;

/** A registry that can lose a blob of its disk without noticing. */
interface Forgetful extends AsyncDisposable {
  readonly host: string;
  lose(digest: string): Promise<void>;
}

/** Real ones where they are installed. */
const registries: Readonly<Record<string, () => Promise<Forgetful | undefined>>> = {
  "a registry in memory": () => {
    const registry = new MemoryRegistry();
    return Promise.resolve({
      host: registry.host,
      lose: (digest) => Promise.resolve(registry.loseBlob(digest)),
      [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
    });
  },
  "docker-registry": async () => {
    const registry = await startDockerRegistry();
    return registry && {
      host: registry.host,
      async lose(digest) {
        const hex = digest.slice(7);
        const blobs = `${registry.dir}/data/docker/registry/v2/blobs/sha256`;
        await Deno.remove(`${blobs}/${hex.slice(0, 2)}/${hex}`, { recursive: true });
      },
      [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
    };
  },
};

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

async function read(host: string, what: string): Promise<unknown> {
  const answer = await fetch(`http://${host}/v2/${what}`, { headers: { accept: MANIFEST_TYPES.join(", ") } });
  return await answer.json();
}

function engineOf(project: TestProject) {
  return project.engine({
    platform: "linux/amd64",
    builder: "fake",
    plugins: [use(fakeBuilder(new FakeBuilderLog()))],
  });
}

/** What is lost of an image, and of its stages. */
const losses: Readonly<Record<string, (image: Manifest, stages: readonly Manifest[]) => readonly string[]>> =
  {
    "the base's layer": ({ layers }) => [layers[0]!.digest],
    "the last layer": ({ layers }) => [layers.at(-1)!.digest],
    "all layers": ({ layers }) => layers.map(({ digest }) => digest),
    "configurations of all stages": (_, stages) => [...new Set(stages.map(({ config }) => config.digest))],
  };

for (const [name, start] of Object.entries(registries)) {
  Deno.test(`${name} that has lost blobs gets them again`, async (t) => {
    for (const [what, lost] of Object.entries(losses)) {
      for (const who of ["another machine that builds", "the machine that has them"]) {
        await t.step(`${what}, from ${who}`, async () => {
          await using registry = await start();
          if (!registry) return;
          const { host } = registry;
          await withTempDir(async (root) => {
            await writeBase(`${root}/base`, { "linux/amd64": base });
            await Deno.mkdir(`${root}/a`);
            const a = openProject(`${root}/a`, `${root}/home-a`);
            await a.git("init", "-q", "-b", "main");
            await a.write({ "dappfile.yaml": dappfile, "src/one": "1\n", "src/two": "2\n" });
            await a.commit("first");
            const repo = `${host}/group/app`;
            const tagged = (value: string) => ({ repo, tags: [{ flag: "tag", value }], withStages: true });
            {
              await using engine = engineOf(a);
              await engine.push([], { ...tagged("v1"), build: true });
            }
            const { tags } = await read(host, "group/app/tags/list") as { readonly tags: readonly string[] };
            const stages = await Promise.all(
              tags.filter((tag) => tag.includes("stage")).map((tag) =>
                read(host, `group/app/manifests/${tag}`)
              ),
            );
            const image = await read(host, "group/app/web/manifests/v1") as Manifest;
            assert.ok(stages.length > 2 && image.layers.length > 2);
            for (const digest of lost(image, stages as Manifest[])) await registry.lose(digest);
            const builds = who.startsWith("another");
            if (builds) await a.git("clone", "-q", a.dir, `${root}/b`);
            const project = builds ? openProject(`${root}/b`, `${root}/home-b`) : a;
            await using engine = engineOf(project);
            await engine.push([], { ...tagged("v2"), build: builds });
            const published = await verifyRegistry(host, "group/app/web");
            assert.ok("v2" in published);
          });
        });
      }
    }
  });
}
