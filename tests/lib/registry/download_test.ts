import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { downloadBlob, getBlob } from "../../../lib/registry/blobs.ts";
import { RegistryClient } from "../../../lib/registry/client.ts";
import {
  blobResponse,
  cutResponse,
  type Fault,
  MemoryRegistry,
} from "../../../testing/memory_registry/registry.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const bytes = new Uint8Array(300_000).map((_, i) => (i * 7919) >> 3);

/** Five bytes, of unstated length. */
const early = () => new Response(new Blob([bytes.slice(0, 5)]).stream());

/** Downloads `bytes` with faults in the way; gives the ranges asked for and the progress told. */
async function download(faults: readonly Fault[], body: Uint8Array = bytes) {
  return await withTempDir(async (dir) => {
    await using registry = new MemoryRegistry();
    await using client = new RegistryClient(registry.host, {
      env: { HOME: dir },
      retry: { sleep: () => Promise.resolve() },
    });
    const blob = await registry.addBlob("a", body);
    for (const fault of faults) {
      registry.fault((request, url) => url.pathname.includes("/blobs/") ? fault(request, url) : undefined);
    }
    const told: number[] = [];
    const report = (done: number) => void told.push(done);
    await downloadBlob(client, "a", { blob, file: `${dir}/blob`, signal, report });
    deepStrictEqual(await Deno.readFile(`${dir}/blob`), body);
    deepStrictEqual(told, told.toSorted((a, b) => a - b));
    strictEqual(told.at(-1) ?? 0, body.length);
    return registry.seen.filter(({ path }) => path.includes("/blobs/")).map(({ range }) => range);
  });
}

Deno.test("what a registry says that it has, and does not give, is lost", async (t) => {
  const lost = async (
    read: (client: RegistryClient, blob: Awaited<ReturnType<MemoryRegistry["addBlob"]>>) => Promise<unknown>,
  ) => {
    await using registry = new MemoryRegistry();
    await using client = new RegistryClient(registry.host, {
      env: { HOME: "/nonexistent" },
      retry: { sleep: () => Promise.resolve() },
    });
    const blob = await registry.addBlob("a", bytes);
    registry.loseBlob(blob.digest);
    await rejects(read(client, blob), {
      kind: "lost",
      message: /the registry says that it has it, and does not give it .*Cannot read http/,
    });
    return registry.seen.map(({ method }) => method);
  };
  const asked = ["GET", "GET", "GET", "HEAD"];
  await t.step("as a file", async () => {
    await withTempDir(async (dir) => {
      const read = lost((client, blob) =>
        downloadBlob(client, "a", { blob, file: `${dir}/blob`, signal, report: () => {} })
      );
      deepStrictEqual(await read, asked);
    });
  });
  await t.step("in memory", async () => {
    deepStrictEqual(await lost((client, blob) => getBlob(client, "a", { blob, signal })), asked);
  });
});

Deno.test("downloadBlob() fetches and verifies", async (t) => {
  await t.step("at once", async () => deepStrictEqual(await download([]), [undefined]));
  await t.step(
    "an empty blob",
    async () => deepStrictEqual(await download([], new Uint8Array()), [undefined]),
  );
  await t.step("continues after a cut connection", async () => {
    const [first, ...rest] = await download([() => cutResponse(bytes, 100_000)]);
    strictEqual(first, undefined);
    strictEqual(rest.length, 1);
  });
  await t.step("continues where an answer ended early without saying so", async () => {
    deepStrictEqual(await download([() => early()]), [undefined, "bytes=5-"]);
  });
  await t.step("starts anew when Range is ignored", async () => {
    deepStrictEqual(await download([() => early(), () => new Response(bytes)]), [undefined, "bytes=5-"]);
  });
  await t.step("starts anew when another range comes", async () => {
    const other = () => {
      const headers = { "content-range": "bytes 9-299999/300000" };
      return new Response(bytes.subarray(9), { status: 206, headers });
    };
    deepStrictEqual(await download([() => early(), other]), [undefined, "bytes=5-", undefined]);
  });
  await t.step("starts anew after wrong content", async () => {
    const wrong = bytes.map((byte) => byte ^ 1);
    deepStrictEqual(await download([() => new Response(wrong)]), [undefined, undefined]);
    deepStrictEqual(await download([() => new Response(new Uint8Array(300_001))]), [undefined, undefined]);
  });
});

Deno.test("downloadBlob() gives up on content that stays wrong", async () => {
  const wrong: Fault = (request) => blobResponse(request, new Uint8Array(300_000));
  await rejects(download([wrong, wrong, wrong]), { kind: "corrupt", message: /its digest is sha256:/ });
});

Deno.test("getBlob() verifies and tries again", async () => {
  await using registry = new MemoryRegistry();
  await using client = new RegistryClient(registry.host, {
    env: { HOME: "/nonexistent" },
    retry: { sleep: () => Promise.resolve() },
  });
  const blob = await registry.addBlob("a", new Uint8Array([1, 2, 3]));
  const wrong: Fault = (_, url) =>
    url.pathname.includes("/blobs/") ? new Response(new Uint8Array(3)) : undefined;
  registry.fault(wrong, 2);
  deepStrictEqual(await getBlob(client, "a", { blob, signal }), new Uint8Array([1, 2, 3]));
  registry.fault(wrong, 99);
  await rejects(getBlob(client, "a", { blob, signal }), { kind: "corrupt" });
});
