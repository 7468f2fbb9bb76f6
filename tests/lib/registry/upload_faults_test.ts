import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { uploadBlob, type UploadOptions } from "../../../lib/registry/upload.ts";
import { failure, type Fault, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf, clientOf, FakeClock, someBytes } from "../../support/registry_client.ts";
import { Wire, type WireFault } from "../../support/registry_wire.ts";
import { withTempDir } from "../../support/tmp.ts";
import { digestFromHex } from "../../../lib/oci/digest.ts";

const { signal } = new AbortController();
const bytes = someBytes(3_000_000);
const put = /^PUT /;

Deno.test("uploadBlob() loses nothing to a server that closes a kept connection", async (t) => {
  for (const [name, content] of [["a small blob", someBytes(999)], ["a large one", bytes]] as const) {
    await t.step(name, async () => {
      await using registry = new MemoryRegistry();
      await using wire = new Wire(registry.host);
      await using client = clientOf(wire.host, { clock: new FakeClock(), retry: { attempts: 1 } });
      await uploadBlob(client, "a", { blob: await blobOf(someBytes(9)), signal });
      // The next PUT meets the connection that this one came over.
      wire.faults.push({ request: put, cut: 0 });
      const blob = await blobOf(content);
      strictEqual(await uploadBlob(client, "a", { blob, signal }), "uploaded");
      deepStrictEqual(registry.blobOf("a", blob.digest), content);
      strictEqual(registry.openUploads, 0);
    });
  }
});

/** Sends `bytes` over a wire that breaks; they must have arrived, and no session be left. */
async function survive(
  wireFaults: readonly WireFault[],
  setup: (registry: MemoryRegistry) => void = () => {},
  { content = bytes, ...options }: Partial<UploadOptions> & { readonly content?: Uint8Array } = {},
) {
  await using registry = new MemoryRegistry();
  await using wire = new Wire(registry.host);
  setup(registry);
  wire.faults.push(...wireFaults);
  const clock = new FakeClock();
  await using client = clientOf(wire.host, { clock });
  const blob = await blobOf(content);
  const outcome = await uploadBlob(client, "a", { blob, signal, ...options });
  deepStrictEqual(registry.blobOf("a", blob.digest), content);
  strictEqual(outcome, "uploaded");
  const methods = registry.seen.map(({ method }) => method);
  return { methods, sent: wire.sent, open: registry.openUploads, waits: clock.waits };
}

const answerTo = (method: string, answer: () => Response): Fault => (request) =>
  request.method === method ? answer() : undefined;

Deno.test("uploadBlob() survives lost connections", async (t) => {
  await t.step("going on where the registry says to be", async () => {
    const { methods, sent, open } = await survive([{ request: put, cut: 2_000_000 }]);
    deepStrictEqual(methods, ["GET", "POST", "PUT", "GET", "GET", "PUT"]);
    ok(sent < 2 * bytes.length - 500_000, `${sent} bytes were sent`);
    strictEqual(open, 0);
  });
  await t.step("beginning anew when it does not say", async () => {
    const { methods } = await survive([{ request: put, cut: 2_000_000 }], (registry) => {
      registry.uploadRules.status = false;
    });
    deepStrictEqual(methods, ["GET", "POST", "PUT", "GET", "GET", "DELETE", "POST", "PUT"]);
  });
  await t.step("again and again, as long as it comes forward", async () => {
    const cuts = Array.from({ length: 7 }, () => ({ request: put, cut: 400_000 }));
    strictEqual((await survive(cuts)).open, 0);
  });
  await t.step("in the middle of a chunk", async () => {
    const { open } = await survive([{ request: /^PATCH /, cut: 700_000 }], () => {}, { chunk: 1_000_000 });
    strictEqual(open, 0);
  });
  await t.step("a lost answer to the last request is looked up, not repeated", async () => {
    const { methods } = await survive([{ request: put, cut: "answer" }]);
    deepStrictEqual(methods, ["GET", "POST", "PUT", "GET"]);
  });
  await t.step("a lost answer to a blob that is sent as a whole is looked up, not repeated", async () => {
    const { methods } = await survive([{ request: put, cut: "answer" }], () => {}, {
      content: someBytes(999),
    });
    deepStrictEqual(methods, ["GET", "POST", "PUT", "GET"]);
  });
  await t.step("a lost answer to a chunk", async () => {
    const { open } = await survive([{ request: /^PATCH /, cut: "answer" }], () => {}, { chunk: 1_000_000 });
    strictEqual(open, 0);
  });
  await t.step("and gives up at last, leaving nothing", async () => {
    await using registry = new MemoryRegistry();
    await using wire = new Wire(registry.host);
    await using client = clientOf(wire.host);
    wire.faults.push(...Array.from({ length: 9 }, () => ({ request: put, cut: 1000 })));
    await rejects(uploadBlob(client, "a", { blob: await blobOf(bytes), signal }), {
      kind: "failed",
      message: /^Cannot reach http:.*uploads/,
    });
    strictEqual(registry.openUploads, 0);
    // Five tries, and one more for a connection that was kept from the request before.
    const tries = registry.count("/uploads/", "PUT");
    ok(tries <= 6, `${tries} tries`);
  });
});

Deno.test("uploadBlob() begins anew", async (t) => {
  const cases: readonly (readonly [string, () => Response])[] = [
    ["when the session is unknown", () => failure(404, "BLOB_UPLOAD_UNKNOWN")],
    ["when the session is spoilt", () => failure(404, "BLOB_UPLOAD_INVALID")],
    ["when the range is refused", () => failure(416, "RANGE_INVALID")],
    ["once, when the digest does not fit", () => failure(400, "DIGEST_INVALID")],
  ];
  for (const [title, answer] of cases) {
    await t.step(title, async () => {
      const { methods } = await survive([], (registry) => registry.fault(answerTo("PUT", answer)));
      deepStrictEqual(methods, ["GET", "POST", "PUT", "POST", "PUT"]);
    });
  }
  await t.step("not twice for the digest", async () => {
    const fails = survive(
      [],
      (registry) => registry.fault(answerTo("PUT", () => failure(400, "DIGEST_INVALID")), 9),
    );
    await rejects(fails, { message: /answered 400, DIGEST_INVALID/ });
  });
});

Deno.test("uploadBlob() waits out a registry in trouble", async (t) => {
  await t.step("bursts of 500", async () => {
    const { waits } = await survive([], (registry) => {
      registry.fault(answerTo("POST", () => failure(500, "UNKNOWN")), 2);
      registry.fault(answerTo("PUT", () => failure(500, "UNKNOWN")), 2);
    });
    strictEqual(waits.length, 4);
  });
  await t.step("not for ever", async () => {
    await using registry = new MemoryRegistry();
    registry.fault(answerTo("POST", () => failure(503, "UNAVAILABLE")), 99);
    await using client = clientOf(registry.host);
    await rejects(uploadBlob(client, "a", { blob: await blobOf(bytes), signal }), {
      message: /answered 503/,
    });
    strictEqual(registry.count("/uploads/", "POST"), 5);
  });
  await t.step("a pause that is asked for", async () => {
    const { waits } = await survive(
      [],
      (registry) =>
        registry.fault(answerTo("PUT", () => failure(429, "TOOMANYREQUESTS", { "retry-after": "300" }))),
    );
    ok(Math.max(...waits) >= 299_000, String(waits));
  });
  await t.step("not one that is too long", async () => {
    const fails = survive(
      [],
      (registry) =>
        registry.fault(answerTo("PUT", () => failure(503, "UNAVAILABLE", { "retry-after": "4000" })), 9),
    );
    await rejects(fails, { message: /try again in 4000 s, which is longer than the 900 s/ });
  });
});

Deno.test("uploadBlob() renews its token", async (t) => {
  for (const when of ["PUT", "PATCH"]) {
    await t.step(`when it is refused at ${when}`, async () => {
      await using registry = new MemoryRegistry();
      registry.auth = { kind: "bearer", user: "me", password: "word" };
      let expired = false;
      registry.fault((request) => {
        if (request.method === when && !expired) {
          expired = true;
          registry.expireTokens();
        }
        return undefined;
      });
      await using client = clientOf(registry.host, { user: "me:word" });
      const blob = await blobOf(bytes);
      await uploadBlob(client, "a", { blob, signal, ...(when === "PATCH" && { chunk: 1_000_000 }) });
      deepStrictEqual(registry.blobOf("a", blob.digest), bytes);
      strictEqual(registry.count("/token"), 2);
    });
  }
  await t.step("once, when it does not give the right to push", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer", user: "me", password: "word", withheld: ["push"] };
    await using client = clientOf(registry.host, { user: "me:word" });
    await rejects(uploadBlob(client, "a", { blob: await blobOf(bytes), signal }), { kind: "denied" });
    ok(registry.count("/token") <= 2);
    strictEqual(registry.openUploads, 0);
  });
});

Deno.test("uploadBlob() closes its session when aborted", async () => {
  await using registry = new MemoryRegistry();
  await using client = clientOf(registry.host);
  const stop = new AbortController();
  registry.fault(async (request) => {
    if (request.method !== "PUT") return undefined;
    stop.abort(new Error("stopped"));
    await request.body?.cancel();
    return new Response(null, { status: 500 });
  });
  const blob = await blobOf(bytes);
  await rejects(uploadBlob(client, "a", { blob, signal: stop.signal }), { message: "stopped" });
  strictEqual(registry.count("/uploads/", "DELETE"), 1);
  strictEqual(registry.openUploads, 0);
  strictEqual(registry.blobOf("a", blob.digest), undefined);
});

Deno.test("uploadBlob() sends 200 MB no faster than the registry reads, without holding them", async () => {
  await withTempDir(async (dir) => {
    const size = 200 * 1024 * 1024;
    const piece = someBytes(1024 * 1024);
    const hash = createHash("sha256");
    using file = await Deno.open(`${dir}/large`, { write: true, create: true });
    for (let at = 0; at < size; at += piece.length) {
      await file.write(piece);
      hash.update(piece);
    }
    await using registry = new MemoryRegistry();
    registry.uploadRules.hashOnly = true;
    await using client = clientOf(registry.host);
    let [done, ahead] = [0, 0];
    // Of this file alone: other files run in the same process.
    const held = () => Deno.memoryUsage().heapUsed + Deno.memoryUsage().external;
    const before = held();
    let most = 0;
    await uploadBlob(client, "a", {
      blob: { digest: digestFromHex(hash.digest("hex")), size, source: { file: `${dir}/large` } },
      signal,
      report(now) {
        done = now;
        ahead = Math.max(ahead, done - registry.received);
        most = Math.max(most, held());
      },
    });
    strictEqual(registry.received, size);
    ok(ahead < size / 4, `${ahead} bytes were read ahead of the registry`);
    ok(most - before < size / 2, `memory grew by ${most - before} bytes`);
  });
});
