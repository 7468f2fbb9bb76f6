/** What is told of exports while they are written. */
import assert from "node:assert/strict";
import { transferEnd } from "../../cli/format.ts";
import { EngineError, use } from "../../mod.ts";
import type { EngineOptions } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { startProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const base = { layers: [[{ path: "etc/", type: "dir" as const }, { path: "etc/motd", text: "hello\n" }]] };

/** What was told of transfers that are exports, without bytes between. */
function told({ events }: TestProject): string[] {
  return events.splice(0).flatMap((event) => {
    if (event.type === "transfer.started") return [event.what];
    if (event.type !== "transfer.finished") return [];
    return [`${transferEnd(event)}, ${event.done > 0 ? "some" : "no"} bytes`];
  });
}

async function withBuilt(work: (project: TestProject, root: string) => Promise<void>): Promise<void> {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    const dappfile = "dimg: app\nfrom: oci:../base:latest\ngit: [{ add: /src, to: /app }]\n";
    const project = await startProject(root, { "dappfile.yaml": dappfile, "src/one": "1\n" });
    {
      await using engine = open(project);
      await engine.build();
    }
    project.events.splice(0);
    await work(project, root);
  });
}

function open(project: TestProject, options: EngineOptions = {}) {
  const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
  return project.engine({ platform: "linux/amd64", builder: "fake", plugins, ...options });
}

for (const kind of ["oci", "oci-archive", "docker-archive"]) {
  Deno.test(`an export to ${kind} is told as done once, with all of its bytes`, async () => {
    await withBuilt(async (project, root) => {
      await using engine = open(project);
      const { images } = await engine.export([], `${kind}:${root}/out`);
      assert.equal(images.length, 1);
      const [first, last] = [project.events.find(isProgress), project.events.findLast(isProgress)];
      assert.deepEqual([first?.done, first?.total], [0, 0]);
      assert.ok(last && last.total > 0 && last.done === last.total);
      const end = project.events.findLast((event) => event.type === "transfer.finished");
      assert.equal(end?.done, last.total);
      assert.deepEqual(told(project), [`exporting to ${kind}:${root}/out`, "done, some bytes"]);
    });
  });

  Deno.test(`an export to ${kind} that fails is told as failed, and as done never`, async (t) => {
    const faults: Readonly<Record<string, (project: TestProject, root: string) => Promise<RegExp>>> = {
      "before it begins": async (_, root) => {
        await Deno.mkdir(`${root}/out/index.json`, { recursive: true }); // neither a file nor a layout
        return /^failed, no bytes$/;
      },
      "in the middle": async ({ home }) => {
        for await (const { name } of Deno.readDir(`${home}/blobs/sha256`)) {
          const path = `${home}/blobs/sha256/${name}`;
          const bytes = await Deno.readFile(path);
          await Deno.writeFile(path, bytes.with(-1, bytes.at(-1)! ^ 1));
        }
        return /^failed/;
      },
    };
    for (const [when, spoil] of Object.entries(faults)) {
      await t.step(when, () =>
        withBuilt(async (project, root) => {
          const end = await spoil(project, root);
          await using engine = open(project);
          await assert.rejects(engine.export([], `${kind}:${root}/out`), EngineError);
          const [what, how, ...more] = told(project);
          assert.equal(what, `exporting to ${kind}:${root}/out`);
          assert.match(how ?? "", end);
          assert.deepEqual(more, []);
        }));
    }
  });
}

Deno.test("an export that the user stops is told as stopped", async () => {
  await withBuilt(async (project, root) => {
    const stop = new AbortController();
    await using engine = open(project, {
      signal: stop.signal,
      onEvent: (event) => {
        project.events.push(event);
        if (event.type === "transfer.started") stop.abort(new Error("Ctrl-C"));
      },
    });
    await assert.rejects(engine.export([], `oci:${root}/out`), { message: "Ctrl-C" });
    assert.deepEqual(told(project), [`exporting to oci:${root}/out`, "stopped, no bytes"]);
  });
});

Deno.test("a destination that cannot be meant is an error, and no export that is told", async () => {
  await withBuilt(async (project) => {
    await using engine = open(project);
    await assert.rejects(engine.export([], "oci-archiv:out.tar"), { code: "USAGE" });
    assert.deepEqual(told(project), []);
  });
});

function isProgress(event: TestProject["events"][number]) {
  return event.type === "transfer.progress";
}
