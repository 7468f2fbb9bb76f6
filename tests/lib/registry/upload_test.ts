import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { uploadBlob, type UploadOptions } from "../../../lib/registry/upload.ts";
import { blobResponse, failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { blobOf, clientOf, fileBlob, someBytes } from "../../support/registry_client.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const bytes = someBytes(300_000);
/** More than is read into memory as a whole. */
const large = someBytes(3_000_000);

/** Sends `bytes` to a/b and checks that they arrived; gives the requests, and how it went. */
async function upload(
  registry: MemoryRegistry,
  options: Partial<UploadOptions> & { readonly user?: string } = {},
) {
  const { user, ...more } = options;
  await using client = clientOf(registry.host, { ...(user !== undefined && { user }) });
  registry.seen.length = 0;
  const blob = await blobOf(bytes);
  const outcome = await uploadBlob(client, "a/b", { blob, signal, ...more });
  deepStrictEqual(registry.blobOf("a/b", blob.digest), bytes);
  strictEqual(registry.openUploads, 0, "no session is left");
  return { outcome, methods: registry.seen.map(({ method }) => method), seen: [...registry.seen] };
}

Deno.test("uploadBlob() asks first, then sends in one piece", async (t) => {
  await using registry = new MemoryRegistry();
  await t.step("what is not there", async () => {
    const { outcome, methods } = await upload(registry);
    strictEqual(outcome, "uploaded");
    deepStrictEqual(methods, ["GET", "POST", "PUT"]);
  });
  await t.step("not what is there", async () => {
    deepStrictEqual((await upload(registry)).methods, ["GET"]);
  });
  await t.step("an answer that leads to storage means that it is there", async () => {
    const blob = await blobOf(someBytes(9));
    registry.fault(() => new Response(null, { status: 307, headers: { location: "https://s3.invalid/x" } }));
    await using client = clientOf(registry.host);
    strictEqual(await uploadBlob(client, "a/b", { blob, signal }), "present");
  });
});

Deno.test("uploadBlob() takes it that a blob is new, and is not misled when it is there", async (t) => {
  await using registry = new MemoryRegistry();
  await t.step("a small one is sent at once", async () => {
    deepStrictEqual((await upload(registry, { isNew: true })).methods, ["POST", "PUT"]);
    deepStrictEqual((await upload(registry, { isNew: true })).methods, ["POST", "PUT"]);
  });
  const methods = async (from: readonly string[]) => {
    await using client = clientOf(registry.host);
    registry.seen.length = 0;
    const outcome = await uploadBlob(client, "a/b", { blob: await blobOf(large), from, isNew: true, signal });
    strictEqual(registry.openUploads, 0, "no session is left");
    return [outcome, ...registry.seen.map(({ method }) => method).sort()];
  };
  await t.step("a large one is looked up while its upload is opened, where nobody may have it", async () => {
    deepStrictEqual(await methods([]), ["uploaded", "GET", "POST", "PUT"]);
    deepStrictEqual(await methods([]), ["present", "GET"]);
  });
  await t.step("or somebody is said to have it who has not", async () => {
    deepStrictEqual(await methods(["other"]), ["present", "DELETE", "GET", "POST"]);
  });
});

Deno.test("uploadBlob() streams a file", async () => {
  await withTempDir(async (dir) => {
    await using registry = new MemoryRegistry();
    await using client = clientOf(registry.host);
    const told: number[] = [];
    const blob = await fileBlob(`${dir}/blob`, large);
    await uploadBlob(client, "a", { blob, signal, report: (done) => void told.push(done) });
    deepStrictEqual(registry.blobOf("a", blob.digest), large);
    ok(told.length > 2 && told.at(-1) === large.length);
  });
});

Deno.test("uploadBlob() never sends all of a file that has changed", async (t) => {
  const cases: readonly (readonly [string, Uint8Array, Uint8Array, RegExp])[] = [
    ["in content", bytes, someBytes(300_000).fill(1), /its digest is sha256:/],
    ["in length", bytes, bytes.subarray(5), /it has 299995 bytes/],
    ["in content, a large one", large, someBytes(3_000_000).fill(1), /its digest is sha256:/],
    ["in length, a large one", large, large.subarray(5), /it has 2999995 bytes/],
  ];
  for (const [title, first, other, message] of cases) {
    await t.step(title, async () => {
      await withTempDir(async (dir) => {
        await using registry = new MemoryRegistry();
        await using client = clientOf(registry.host);
        const blob = await fileBlob(`${dir}/blob`, first);
        await Deno.writeFile(`${dir}/blob`, other);
        await rejects(uploadBlob(client, "a", { blob, signal }), { kind: "source", message });
        strictEqual(registry.blobOf("a", blob.digest), undefined);
      });
    });
  }
  await t.step("in content, one that rots unseen, into a registry that looks", async () => {
    await withTempDir(async (dir) => {
      await using registry = new MemoryRegistry();
      await using client = clientOf(registry.host);
      const blob = await fileBlob(`${dir}/blob`, large);
      const source = { file: `${dir}/blob`, untouched: () => Promise.resolve(true) };
      strictEqual(await uploadBlob(client, "a", { blob: { ...blob, source }, signal }), "uploaded");
      await Deno.writeFile(`${dir}/blob`, someBytes(3_000_000).fill(1));
      const rotten = uploadBlob(client, "b", { blob: { ...blob, source }, signal });
      await rejects(rotten, { kind: "source", message: /its digest is sha256:/ });
      strictEqual(registry.blobOf("b", blob.digest), undefined);
      strictEqual(registry.openUploads, 0);
    });
  });
  await t.step("into nothing", async () => {
    await using registry = new MemoryRegistry();
    await using client = clientOf(registry.host);
    const blob = { ...await blobOf(bytes), source: { file: "/nonexistent/blob" } };
    await rejects(uploadBlob(client, "a", { blob, signal }), { kind: "source" });
    strictEqual(registry.openUploads, 0);
  });
});

Deno.test("uploadBlob() has blobs taken over from other repositories", async (t) => {
  await t.step("from the first that has it", async () => {
    await using registry = new MemoryRegistry();
    await registry.addBlob("c", bytes);
    const { outcome, methods } = await upload(registry, { from: ["a/b", "nothing", "c"] });
    strictEqual(outcome, "mounted");
    deepStrictEqual(
      methods,
      ["GET", "POST", "POST", "DELETE", "GET"],
      "the session of the one without it is closed, and what was taken over is read",
    );
  });
  await t.step("and uses the session that is opened instead", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.mounts = false;
    const { outcome, methods } = await upload(registry, { from: ["c"] });
    strictEqual(outcome, "uploaded");
    deepStrictEqual(methods, ["GET", "POST", "PUT"]);
  });
  for (const status of [400, 401, 403, 404, 405, 409, 422, 429, 500, 501, 503]) {
    await t.step(`and sends it when the answer is ${status}`, async () => {
      await using registry = new MemoryRegistry();
      registry.fault(
        (_, url) => url.searchParams.has("mount") ? failure(status, "DENIED") : undefined,
        Infinity,
      );
      strictEqual((await upload(registry, { from: ["c"] })).outcome, "uploaded");
    });
  }
  await t.step("not taking 201 with the address of an upload for a mount", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.mounts = false;
    registry.fault(async (request, url) => {
      if (!url.searchParams.has("mount")) return undefined;
      const opened = await fetch(`http://${registry.host}${url.pathname}`, { method: request.method });
      await opened.body?.cancel();
      return new Response(null, { status: 201, headers: { location: opened.headers.get("location")! } });
    });
    strictEqual((await upload(registry, { from: ["c"] })).outcome, "uploaded");
  });
  await t.step("with a token for both", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer", user: "me", password: "word" };
    await registry.addBlob("c", bytes);
    const { outcome, seen } = await upload(registry, { from: ["c"], user: "me:word" });
    strictEqual(outcome, "mounted");
    const token = seen.findLast(({ path }) => path.startsWith("/token"))!.path;
    deepStrictEqual(new URL(token, "http://x").searchParams.getAll("scope"), [
      "repository:a/b:pull,push",
      "repository:c:pull",
    ]);
  });
  await t.step("not failing when no token is given for the source", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer", user: "me", password: "word", refused: ["c"] };
    await registry.addBlob("c", bytes);
    strictEqual((await upload(registry, { from: ["c"], user: "me:word" })).outcome, "uploaded");
  });
});

Deno.test("uploadBlob() sends chunks", async (t) => {
  await t.step("when asked to", async () => {
    await using registry = new MemoryRegistry();
    const { methods } = await upload(registry, { chunk: 100_000 });
    deepStrictEqual(methods, ["GET", "POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  });
  await t.step("not smaller than the registry wants", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.chunkMin = 150_000;
    const { methods } = await upload(registry, { chunk: 100_000 });
    deepStrictEqual(methods, ["GET", "POST", "PATCH", "PATCH", "PUT"]);
  });
  await t.step("when one piece is too large for a proxy", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.largestBody = 4 * 1024 * 1024;
    const large = await blobOf(someBytes(5 * 1024 * 1024));
    await using client = clientOf(registry.host);
    strictEqual(await uploadBlob(client, "a", { blob: large, signal }), "uploaded");
    strictEqual(registry.count("/uploads/", "PATCH"), 2);
    strictEqual(registry.openUploads, 0);
  });
  await t.step("and gives up when even small ones are too large", async () => {
    await using registry = new MemoryRegistry();
    registry.uploadRules.largestBody = 1000;
    await rejects(upload(registry), { message: /answered 413/ });
    strictEqual(registry.openUploads, 0);
  });
});

/** The registry's own answer with another status. */
function answering(registry: MemoryRegistry, method: string, status: number): void {
  let own = false;
  registry.fault(async (request, url) => {
    if (own || request.method !== method || !url.pathname.includes("/uploads/")) return undefined;
    own = true;
    const answer = await fetch(`http://${registry.host}${url.pathname}${url.search}`, {
      method,
      headers: request.headers,
      ...(method !== "POST" && { body: await request.arrayBuffer() }),
    });
    own = false;
    await answer.body?.cancel();
    return new Response(null, { status, headers: answer.headers });
  }, Infinity);
}

Deno.test("uploadBlob() takes what registries answer in place of what is specified", async (t) => {
  for (
    const [method, status] of [["POST", 200], ["POST", 201], ["PUT", 200], ["PUT", 202], [
      "PUT",
      204,
    ]] as const
  ) {
    await t.step(`${method} ${status}`, async () => {
      await using registry = new MemoryRegistry();
      answering(registry, method, status);
      strictEqual((await upload(registry)).outcome, "uploaded");
    });
  }
  await t.step("PATCH 200", async () => {
    await using registry = new MemoryRegistry();
    answering(registry, "PATCH", 200);
    strictEqual((await upload(registry, { chunk: 100_000 })).outcome, "uploaded");
  });
  await t.step("but not 202 for a blob that is not there afterwards", async () => {
    await using registry = new MemoryRegistry();
    registry.fault((request) => request.method === "PUT" ? new Response(null, { status: 202 }) : undefined);
    await rejects(upload(registry), { message: /took it, but does not have it/ });
  });
  await t.step("and questions for a blob that are refused", async () => {
    for (const status of [400, 403, 405, 501]) {
      await using registry = new MemoryRegistry();
      registry.fault(
        (request) => ["GET", "HEAD"].includes(request.method) ? failure(status, "DENIED") : undefined,
        Infinity,
      );
      strictEqual((await upload(registry)).outcome, "uploaded");
    }
  });
});

Deno.test("uploadBlob() sends what the registry has lost", async (t) => {
  const lost = async () => {
    const registry = new MemoryRegistry();
    const { digest } = await registry.addBlob("a/b", bytes);
    await registry.addBlob("c", bytes);
    registry.loseBlob(digest);
    return registry;
  };
  await t.step("where it says that it has it", async () => {
    await using registry = await lost();
    const { outcome, methods } = await upload(registry, { from: ["c"] });
    strictEqual(outcome, "uploaded");
    deepStrictEqual(methods, ["GET", "GET", "GET", "POST", "PUT", "GET"], "and reads it back");
  });
  await t.step("where it takes it over from another repository", async () => {
    await using registry = await lost();
    registry.dropBlob("a/b", await digestOf(bytes));
    const { outcome, methods } = await upload(registry, { from: ["c"] });
    strictEqual(outcome, "uploaded");
    deepStrictEqual(methods, ["GET", "POST", "GET", "GET", "GET", "POST", "PUT", "GET"]);
  });
  await t.step("without a question when that is known", async () => {
    await using registry = await lost();
    const { outcome, methods } = await upload(registry, { from: ["c"], anew: true });
    strictEqual(outcome, "uploaded");
    deepStrictEqual(methods, ["POST", "PUT", "GET", "GET"], "and reads its end, then all of it");
  });
  await t.step("and fails when it says that it has taken it, and has not", async () => {
    await using registry = await lost();
    registry.fault((request, url) => {
      if (request.method !== "PUT" || !url.pathname.includes("/uploads/")) return undefined;
      return new Response(null, { status: 201, headers: { location: "/v2/a/b/blobs/x" } });
    }, Infinity);
    await rejects(upload(registry), { kind: "lost", message: /says that it has taken it, and it still/ });
  });
  await t.step("and fails when what it gives is something else, of the same size", async () => {
    await using registry = new MemoryRegistry();
    registry.fault((request, url) => {
      const reads = request.method === "GET" && url.pathname.includes("/blobs/");
      return reads ? blobResponse(request, bytes.map((byte) => byte ^ 1)) : undefined;
    }, Infinity);
    await rejects(upload(registry, { anew: true }), { kind: "lost", message: /something else/ });
  });
});

Deno.test("uploadBlob() asks by HEAD where the last byte does not come by itself", async (t) => {
  /** Methods of two looks at a blob that is there. */
  const looks = async (answer: (request: Request) => Response | undefined) => {
    await using registry = new MemoryRegistry();
    await registry.addBlob("a/b", bytes);
    registry.fault((request) => request.method === "GET" ? answer(request) : undefined, Infinity);
    await using client = clientOf(registry.host);
    const blob = await blobOf(bytes);
    for (let i = 0; i < 2; i++) strictEqual(await uploadBlob(client, "a/b", { blob, signal }), "present");
    return registry.seen.map(({ method }) => method);
  };
  await t.step("since all of it comes", async () => {
    const whole = () => new Response(bytes as BodyInit);
    deepStrictEqual(await looks(whole), ["GET", "HEAD"]);
  });
  await t.step("since it is elsewhere", async () => {
    const elsewhere = () =>
      new Response(null, { status: 307, headers: { location: "https://storage.invalid/x" } });
    deepStrictEqual(await looks(elsewhere), ["GET", "HEAD"]);
  });
  await t.step("since it is not to be read", async () => {
    deepStrictEqual(await looks(() => failure(403, "DENIED")), ["GET", "HEAD", "HEAD"]);
  });
});

Deno.test("uploadBlob() goes where the registry says", async (t) => {
  /** Lets the registry open a session and tells the client that it is elsewhere. */
  const moved = async (location: (real: URL) => string, user = "me:word") => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "basic", user: "me", password: "word" };
    await using storage = new MemoryRegistry();
    storage.fault((request) => request.method === "PUT" ? new Response(null, { status: 201 }) : undefined, 9);
    registry.fault((request, url) =>
      request.method === "POST" && request.headers.has("authorization")
        ? new Response(null, {
          status: 202,
          headers: { location: location(new URL(`http://${storage.host}${url.pathname}x?s=%2F~`)) },
        })
        : undefined
    );
    await using client = clientOf(registry.host, { user });
    const sent = await uploadBlob(client, "a", { blob: await blobOf(bytes), signal }).then(
      () => undefined,
      (e) => e,
    );
    return { registry, storage, sent, put: storage.seen.find(({ method }) => method === "PUT") };
  };
  await t.step("another host gets the query as it was, and no credentials", async () => {
    const { put, sent } = await moved((real) => real.href);
    strictEqual(sent, undefined);
    strictEqual(put?.authorization, undefined);
    ok(/\?s=%2F~&digest=sha256%3A[0-9a-f]{64}$/.test(put?.path ?? ""), put!.path);
  });
  await t.step("not to what is no http", async () => {
    strictEqual((await moved(() => "ftp://127.0.0.1/x")).sent.kind, "refused");
    strictEqual((await moved(() => "http://[bad")).sent.kind, "refused");
  });
  await t.step("the same host by another scheme is taken by its own", async () => {
    await using registry = new MemoryRegistry();
    registry.fault((request) =>
      request.method === "POST"
        ? new Response(null, {
          status: 202,
          headers: { location: "https://127.0.0.1/v2/a/blobs/uploads/elsewhere" },
        })
        : undefined
    );
    registry.fault((request) => request.method === "PUT" ? new Response(null, { status: 201 }) : undefined);
    await using client = clientOf(registry.host);
    await uploadBlob(client, "a", { blob: await blobOf(bytes), signal });
    strictEqual(registry.count("/uploads/elsewhere?digest=", "PUT"), 1);
  });
  await t.step("a missing Location is said", async () => {
    await using registry = new MemoryRegistry();
    registry.fault((request) => request.method === "POST" ? new Response(null, { status: 202 }) : undefined);
    await rejects(upload(registry), { message: /names no place for it/ });
  });
});

Deno.test("uploadBlob() sends none twice", async () => {
  await using registry = new MemoryRegistry();
  await using client = clientOf(registry.host);
  const blobs = await Promise.all(Array.from({ length: 8 }, (_, at) => blobOf(new Uint8Array([at]))));
  const twice = [...blobs, ...blobs];
  const outcomes = await Promise.all(twice.map((blob) => uploadBlob(client, "a", { blob, signal })));
  strictEqual(outcomes.filter((outcome) => outcome === "uploaded").length, 8);
  strictEqual(registry.count("/uploads/", "PUT"), 8);
});
