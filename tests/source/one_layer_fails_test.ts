/** Of the layers of a base image that are brought at once, the one that fails is told as that. */
import assert from "node:assert/strict";
import { transferEnd } from "../../cli/format.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { someBytes } from "../support/registry_client.ts";
import { withProject } from "../support/project.ts";

Deno.test("one layer of three that is refused has failed, the others were stopped", async () => {
  await using registry = new MemoryRegistry();
  const layers = [1, 2, 3].map((i) => someBytes(2_000_000 + i));
  const image = await registry.addImage("base", "v1", { layers });
  const begun = new Set<string>();
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const [, bad] = image.layers.map(({ digest }) => digest);
  registry.fault(async (request, { pathname }) => {
    const layer = image.layers.find(({ digest }) => request.method === "GET" && pathname.endsWith(digest));
    if (!layer) return undefined;
    begun.add(layer.digest);
    if (begun.size === 3) resolve();
    if (layer.digest === bad) {
      await all;
      return new Response(null, { status: 410 });
    }
    return stalled(layers[image.layers.indexOf(layer)]!);
  }, Infinity);
  const files = { "dappfile.yaml": `dimg: app\nfrom: ${registry.host}/base:v1\n` };
  await withProject(files, async (project) => {
    await using engine = project.engine();
    await assert.rejects(engine.build());
    const what = new Map(
      project.events.flatMap((event) => event.type === "transfer.started" ? [[event.id, event.what]] : []),
    );
    const ends = project.events.flatMap((event) =>
      event.type === "transfer.finished" ? [[what.get(event.id), transferEnd(event)]] : []
    );
    const name = (digest: string | undefined) => `layer ${digest?.slice(7, 19)} of ${registry.host}/base:v1`;
    assert.deepEqual(
      Object.fromEntries(ends),
      Object.fromEntries(
        image.layers.map(({ digest }) => [name(digest), digest === bad ? "failed" : "stopped"]),
      ),
    );
  });
});

/** Half of it, and then nothing. */
function stalled(bytes: Uint8Array): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.slice(0, 1_000_000)),
  });
  return new Response(body, { headers: { "content-length": String(bytes.length) } });
}
