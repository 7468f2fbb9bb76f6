import assert from "node:assert/strict";
import { createEngine, definePlugin, type Inventory, type KeepRequest, use } from "../../mod.ts";
import { recordedInventory } from "../../testing/inventories.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { type TestProject, withProject } from "../support/project.ts";

const DAY = 86_400_000;
const HOST = "registry.example.com";

const DAPPFILE = `project: shop
---
dimg: web
from: scratch
git: [{ add: /web, to: /web }]
---
dimg: worker
from: scratch
git: [{ add: /worker, to: /worker }]
`;

/** Publishes for several branches, tags and commits, and hears what a policy is asked. */
async function record(): Promise<{ readonly inventory: Inventory; readonly git: object }> {
  const files = { "dappfile.yaml": DAPPFILE, "web/a": "1", "worker/a": "1" };
  await using registry = new MemoryRegistry();
  const repo = `${registry.host}/shop`;
  const asked: KeepRequest[] = [];
  await withProject(files, async (project) => {
    const { git, write, commit } = project;
    await git("branch", "-M", "main");
    await commit("first");
    await publish(project, repo, { flag: "tag-branch" }, { flag: "tag-commit" });
    await git("tag", "v1.0");
    await publish(project, repo, { flag: "tag", value: "stable" });
    for (const [branch, text] of [["feature/search", "2"], ["fix-gone", "3"]] as const) {
      await git("checkout", "-q", "-b", branch);
      await write({ "web/a": text });
      await commit(branch);
      await publish(project, repo, { flag: "tag-branch" }, { flag: "tag-commit" });
      await git("checkout", "-q", "main");
    }
    await git("branch", "-q", "-D", "fix-gone");
    await write({ "worker/a": "4" });
    await commit("second");
    await git("tag", "v1.1");
    await publish(project, repo, { flag: "tag-branch" }, { flag: "tag-commit" });
    await registry.addImage("shop", "of-somebody-else");
    const listen = definePlugin({
      name: "keep-nothing",
      api: 1,
      setup: () => ({
        keep: (request) => {
          asked.push(request);
          return [];
        },
      }),
    });
    await using engine = createEngine({
      dir: project.dir,
      home: project.home,
      registry: { insecure: [registry.host] },
      plugins: [use(listen)],
    });
    await engine.planCleanup({ repo, stages: "unneeded", withoutKube: true });
    const [{ inventory, git: facts }] = asked as [KeepRequest];
    recording = {
      inventory: spread(JSON.parse(JSON.stringify(inventory).replaceAll(registry.host, HOST))),
      git: {
        branches: Object.fromEntries(await facts!.branches()),
        tags: Object.fromEntries(await facts!.tags()),
        commits: Object.fromEntries(
          [...await facts!.commits()].map((
            [id, { tree, time }],
          ) => [id, { tree, time: new Date(time * 1000).toISOString() }]),
        ),
      },
    };
  });
  return recording!;
}

let recording: { inventory: Inventory; git: object } | undefined;

async function publish(
  { dir, home }: TestProject,
  repo: string,
  ...tags: readonly { readonly flag: string; readonly value?: string }[]
): Promise<void> {
  await using engine = createEngine({ dir, home, registry: { insecure: [repo.split("/")[0]!] } });
  await engine.push([], { repo, tags, withStages: true, build: true });
}

/** The images of one run, as if they had been published over three months. */
function spread(inventory: Inventory): Inventory {
  const now = Date.parse("2026-03-01T12:00:00Z");
  const at = (index: number, of: number) =>
    new Date(now - Math.round(90 * DAY * (index + 1) / of)).toISOString();
  const images = inventory.images.map((image, i) => ({
    ...image,
    publishedAt: at(i, inventory.images.length),
  }));
  return { ...inventory, now: new Date(now).toISOString(), images };
}

/** Names of all fields that rows have. */
function fieldsOf(rows: readonly object[]): readonly string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))].sort();
}

Deno.test("the recorded inventory is what the engine reads today (UPDATE_GOLDEN=1 records it anew)", async () => {
  const file = new URL("../../testing/inventories/shop.json", import.meta.url);
  const fresh = await record();
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.writeTextFile(file, `${JSON.stringify(fresh, undefined, 2)}\n`);
  }
  const { inventory } = recordedInventory();
  assert.deepEqual(Object.keys(inventory), Object.keys(fresh.inventory));
  for (const list of ["images", "stages", "others", "broken"] as const) {
    assert.deepEqual(fieldsOf(inventory[list]), fieldsOf(fresh.inventory[list]), list);
  }
  const named = ({ images }: Inventory) =>
    images.map(({ tag, scheme }) => `${tag.replace(/[0-9a-f]{40}$/, "COMMIT")} ${scheme}`).sort();
  assert.deepEqual(named(inventory), named(fresh.inventory));
  assert.ok(inventory.images.every(({ digest }) => digest in inventory.manifests));
  const foreign = inventory.others.filter(({ kind }) => kind === "foreign").map(({ tag }) => tag);
  assert.deepEqual(foreign, ["of-somebody-else"]);
});
