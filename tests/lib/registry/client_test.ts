import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { RegistryClient } from "../../../lib/registry/client.ts";
import type { RegistryError } from "../../../lib/registry/errors.ts";
import { getManifest, headManifest } from "../../../lib/registry/manifests.ts";
import { uploadBlob } from "../../../lib/registry/upload.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();
const nowhere = { HOME: "/nonexistent" };

/** A client that notes how long it was to wait instead of waiting. */
function connect(
  registry: MemoryRegistry,
  auths?: unknown,
  { writes = false, origin }: { readonly writes?: boolean; readonly origin?: string } = {},
) {
  const waits: number[] = [];
  const client = new RegistryClient(registry.host, {
    env: { ...nowhere, ...(auths !== undefined && { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) }) },
    writes,
    ...(origin !== undefined && { origin }),
    retry: { sleep: (ms) => (waits.push(ms), Promise.resolve()) },
  });
  return { client, waits };
}

const read = (client: RegistryClient, reference = "1", path = "a/b") =>
  getManifest(client, path, { reference, signal });
/** Puts a blob into a registry that asks for no login yet. */
async function storeFirst(registry: MemoryRegistry, path: string, blob: Awaited<ReturnType<typeof blobOf>>) {
  await using client = connect(registry).client;
  strictEqual(await uploadBlob(client, path, { blob, isNew: true, signal }), "uploaded");
}
const user = (registry: MemoryRegistry) => ({ [registry.host]: { auth: btoa("me:secret-word") } });

Deno.test("RegistryClient reads manifests by tag and digest, over plain http on loopback", async () => {
  await using registry = new MemoryRegistry();
  const { manifest } = await registry.addImage("a/b", "1");
  const { client } = connect(registry);
  await using _ = client;
  strictEqual(await headManifest(client, "a/b", { reference: "1", signal }), manifest.digest);
  strictEqual((await read(client)).digest, manifest.digest);
  strictEqual((await read(client, manifest.digest)).mediaType, manifest.mediaType);
  strictEqual(registry.count("/v2/a/b/manifests/1", "HEAD"), 1);
});

Deno.test("RegistryClient never uses plain http for other hosts", async () => {
  await using registry = new MemoryRegistry();
  const { hostname } = Deno;
  const port = registry.host.split(":")[1];
  await using client = new RegistryClient(`${hostname()}.invalid:${port}`, {
    env: nowhere,
    retry: { attempts: 1 },
  });
  await rejects(read(client), (error: RegistryError) => /Cannot reach https:/.test(error.message));
  strictEqual(registry.seen.length, 0);
});

Deno.test("RegistryClient explains what is missing", async () => {
  await using registry = new MemoryRegistry();
  const { client } = connect(registry);
  await using _ = client;
  await rejects(headManifest(client, "a/b", { reference: "9", signal }), (error: RegistryError) => {
    strictEqual(error.kind, "missing");
    strictEqual(error.details.code, "MANIFEST_UNKNOWN");
    strictEqual(error.details.status, 404);
    ok(error.message.startsWith(`Cannot read manifest "9" of ${registry.host}/a/b: GET http://`));
    return true;
  });
});

Deno.test("RegistryClient logs in with Basic", async (t) => {
  await using registry = new MemoryRegistry();
  await registry.addImage("a/b", "1");
  registry.auth = { kind: "basic", user: "me", password: "secret-word" };
  await t.step("with the right password", async () => {
    const { client } = connect(registry, user(registry));
    await using _ = client;
    await read(client);
    await read(client);
    strictEqual(registry.count("/manifests/1"), 3, "asked once without, then always with credentials");
  });
  await t.step("a wrong one is tried once and not printed", async () => {
    const before = registry.seen.length;
    const { client } = connect(registry, { [registry.host]: { auth: btoa("me:wrong-word") } });
    await using _ = client;
    await rejects(
      read(client),
      (error: RegistryError) =>
        error.kind === "denied" && /credentials known for it are not accepted/.test(error.message),
    );
    strictEqual(registry.seen.slice(before).filter((r) => r.path.includes("/manifests/")).length, 2);
  });
  await t.step("none is said", async () => {
    const { client } = connect(registry);
    await using _ = client;
    await rejects(read(client), { kind: "denied", message: /no credentials are known for it/ });
  });
});

Deno.test("RegistryClient logs in with Bearer tokens", async (t) => {
  await t.step("anonymous, from a relative realm, one token for all requests of a scope", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    await registry.addImage("c", "1");
    registry.auth = { kind: "bearer" };
    const { client } = connect(registry);
    await using _ = client;
    await read(client);
    const before = registry.count("/manifests/");
    await Promise.all([read(client), read(client), read(client)]);
    strictEqual(registry.count("/manifests/") - before, 3);
    strictEqual(registry.count("/token"), 1);
    await Promise.all([read(client, "1", "c"), read(client, "1", "c")]);
    strictEqual(registry.count("scope=repository%3Ac%3Apull"), 1, "one request at a time fetches a token");
  });
  await t.step("a token for storing is one for reading", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.auth = { kind: "bearer" };
    const { client } = connect(registry);
    await using _ = client;
    const blob = await blobOf(new Uint8Array(9));
    await uploadBlob(client, "a/b", { blob, signal });
    await read(client);
    strictEqual(registry.count("/token"), 1);
  });
  await t.step("a token for storing that is not given does not keep from reading", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.auth = { kind: "bearer" };
    registry.fault(
      (_, url) => url.search.includes("push") ? new Response("no", { status: 403 }) : undefined,
      Infinity,
    );
    const { client } = connect(registry);
    await using _ = client;
    await read(client);
    registry.expireTokens();
    const blob = await blobOf(new Uint8Array(9));
    const storing = uploadBlob(client, "a/b", { blob, isNew: true, signal });
    await Promise.all([rejects(storing, { kind: "denied" }), read(client)]);
  });
  await t.step("who is going to store asks for that at once", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.auth = { kind: "bearer" };
    const { client } = connect(registry, {}, { writes: true });
    await using _ = client;
    await read(client);
    const blob = await blobOf(new Uint8Array(9));
    await uploadBlob(client, "a/b", { blob, signal });
    strictEqual(registry.count("/token"), 1);
  });
  await t.step("and for taking blobs over", async () => {
    for (const first of ["read", "store"]) {
      await using registry = new MemoryRegistry();
      await registry.addImage("a/b", "1");
      const blob = await blobOf(new Uint8Array(9));
      await storeFirst(registry, "a", blob);
      registry.auth = { kind: "bearer" };
      const { client } = connect(registry, {}, { writes: true, origin: "a" });
      await using _ = client;
      if (first === "read") await read(client);
      strictEqual(await uploadBlob(client, "a/b", { blob, from: ["a"], isNew: true, signal }), "mounted");
      strictEqual(registry.count("/token"), 1, first);
    }
  });
  await t.step("who may not read where blobs could be taken over from stores all the same", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    const blob = await blobOf(new Uint8Array(9));
    await storeFirst(registry, "a", blob);
    registry.auth = { kind: "bearer", refused: ["a"] };
    const { client } = connect(registry, {}, { writes: true, origin: "a" });
    await using _ = client;
    await read(client);
    strictEqual(await uploadBlob(client, "a/b", { blob, from: ["a"], isNew: true, signal }), "uploaded");
    strictEqual(registry.openUploads, 0);
  });
  for (const where of ["token server", "registry"]) {
    await t.step(`who is going to store and may only read, as the ${where} says, reads`, async () => {
      await using registry = new MemoryRegistry();
      await registry.addImage("a/b", "1");
      registry.auth = { kind: "bearer" };
      let asked = "";
      registry.fault((request, url) => {
        const isToken = url.pathname === "/token";
        if (isToken) asked = url.search;
        const refused = isToken === (where === "token server") && asked.includes("push") &&
          (isToken || request.headers.has("authorization"));
        if (!refused) return undefined;
        if (isToken) return new Response("no", { status: 403 });
        const service = 'memory, "quoted"'.replaceAll('"', '\\"');
        const challenge = `Bearer realm="/token",service="${service}"`;
        return failure(401, "UNAUTHORIZED", { "www-authenticate": challenge });
      }, Infinity);
      const { client } = connect(registry, {}, { writes: true });
      await using _ = client;
      await read(client);
      await read(client);
      strictEqual(registry.count("push"), 1, "it is asked for once");
      const blob = await blobOf(new Uint8Array(9));
      await rejects(uploadBlob(client, "a/b", { blob, isNew: true, signal }), { kind: "denied" });
    });
  }
  await t.step("with user and password", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.auth = { kind: "bearer", user: "me", password: "secret-word" };
    const { client } = connect(registry, user(registry));
    await using _ = client;
    await read(client);
    strictEqual(registry.count("/token", "GET"), 1);
    ok(registry.seen.every(({ path }) => !path.includes("secret-word")));
  });
  await t.step("with an identity token, by POST", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.auth = { kind: "bearer", refreshToken: "refresh-word" };
    const { client } = connect(registry, {
      [registry.host]: { auth: btoa("me:"), identitytoken: "refresh-word" },
    });
    await using _ = client;
    await read(client);
    strictEqual(registry.count("/token", "POST"), 1);
    strictEqual(registry.count("/token", "GET"), 0);
  });
  for (const count of [1, 20]) {
    await t.step(`a token that is no longer accepted is renewed once, for ${count} requests`, async () => {
      await using registry = new MemoryRegistry();
      await registry.addImage("a/b", "1");
      registry.auth = { kind: "bearer" };
      const { client } = connect(registry);
      await using _ = client;
      await read(client);
      registry.expireTokens();
      await Promise.all(Array.from({ length: count }, () => read(client)));
      strictEqual(registry.count("/token"), 2);
    });
  }
  await t.step("tokens that do not help end in denied", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer" };
    registry.fault(
      (_, url) => url.pathname === "/token" ? Response.json({ token: "useless-word" }) : undefined,
      9,
    );
    const { client } = connect(registry);
    await using _ = client;
    await rejects(
      read(client),
      (error: RegistryError) => error.kind === "denied" && !/useless-word/.test(error.message),
    );
    strictEqual(registry.count("/token"), 1);
  });
  await t.step("refused credentials are not tried again", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer", user: "me", password: "other" };
    const { client } = connect(registry, user(registry));
    await using _ = client;
    await rejects(read(client), { kind: "denied", message: /does not accept the credentials/ });
    strictEqual(registry.count("/token"), 1);
  });
  for (const realm of ["ftp://x/token", "", "http://[bad"]) {
    await t.step(`the realm "${realm}" is refused`, async () => {
      await using registry = new MemoryRegistry();
      registry.auth = { kind: "bearer", realm };
      const { client } = connect(registry);
      await using _ = client;
      await rejects(read(client), (error: RegistryError) => ["refused", "denied"].includes(error.kind));
      strictEqual(registry.count("/token"), 0);
    });
  }
  await t.step("an empty challenge is denied", async () => {
    await using registry = new MemoryRegistry();
    registry.fault((_, url) =>
      url.pathname === "/v2/" ? undefined : failure(401, "UNAUTHORIZED", { "www-authenticate": "" })
    );
    const { client } = connect(registry);
    await using _ = client;
    await rejects(read(client), { kind: "denied", message: /does not exist/ });
  });
  await t.step("a 401 that asks for nothing is an answer like any other, with its reason", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer", user: "me", password: "word" };
    registry.fault(
      (request, url) =>
        request.headers.has("authorization") && url.pathname.includes("/manifests/")
          ? failure(401, "PROTECTED_TAG")
          : undefined,
      Infinity,
    );
    const { client } = connect(registry, { [registry.host]: { auth: btoa("me:word") } });
    await using _ = client;
    for (const tokens of [1, 1]) {
      await rejects(
        read(client),
        ({ kind, message, details }: RegistryError) =>
          kind === "locked" && /answered 401, PROTECTED_TAG protected tag$/.test(message) &&
          details.said === "PROTECTED_TAG protected tag" && details.code === "PROTECTED_TAG",
      );
      strictEqual(registry.count("/token"), tokens);
    }
  });
  await t.step(
    "a token that lacks a right is answered by asking for Basic at Harbor: the reason is kept",
    async () => {
      await using registry = new MemoryRegistry();
      registry.auth = { kind: "bearer", user: "me", password: "word" };
      const basic = { "www-authenticate": 'Basic realm="harbor"' };
      registry.fault(
        (request, url) =>
          request.headers.has("authorization") && url.pathname.includes("/manifests/")
            ? failure(401, "UNAUTHORIZED", basic)
            : undefined,
        Infinity,
      );
      const { client } = connect(registry, { [registry.host]: { auth: btoa("me:word") } });
      await using _ = client;
      for (const _ of ["first", "again"]) {
        await rejects(
          read(client),
          ({ kind, details }: RegistryError) =>
            kind === "denied" && details.code === "UNAUTHORIZED" &&
            details.said === "UNAUTHORIZED unauthorized",
        );
      }
    },
  );
});

Deno.test("RegistryClient repeats what may pass", async (t) => {
  const manifests = (answer: () => Response) => (_: Request, url: URL) =>
    url.pathname.includes("/manifests/") ? answer() : undefined;
  await t.step("a burst of 5xx", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.fault(manifests(() => new Response("<html>", { status: 502 })), 3);
    const { client, waits } = connect(registry);
    await using _ = client;
    await read(client);
    strictEqual(waits.length, 3);
  });
  await t.step("429 with Retry-After", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a/b", "1");
    registry.fault(manifests(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "7" })));
    const { client, waits } = connect(registry);
    await using _ = client;
    await read(client);
    deepStrictEqual(waits, [7000]);
  });
  await t.step("not when the wait is too long", async () => {
    await using registry = new MemoryRegistry();
    registry.fault(manifests(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "3600" })));
    const { client, waits } = connect(registry);
    await using _ = client;
    await rejects(read(client), { kind: "limited", message: /try again in 3600 s/ });
    strictEqual(waits.length, 0);
  });
  await t.step("only so often", async () => {
    await using registry = new MemoryRegistry();
    registry.fault(manifests(() => failure(503, "UNAVAILABLE")), 99);
    const { client, waits } = connect(registry);
    await using _ = client;
    await rejects(read(client), { kind: "failed", message: /answered 503, UNAVAILABLE unavailable/ });
    strictEqual(waits.length, 4);
  });
  await t.step("not once aborted", async () => {
    await using registry = new MemoryRegistry();
    registry.fault(manifests(() => failure(503, "UNAVAILABLE")), 99);
    const stop = new AbortController();
    await using client = new RegistryClient(registry.host, {
      env: nowhere,
      retry: {
        sleep() {
          stop.abort(new Error("stopped"));
          return Promise.resolve();
        },
      },
    });
    await rejects(getManifest(client, "a/b", { reference: "1", signal: stop.signal }), {
      message: "stopped",
    });
    strictEqual(registry.count("/manifests/"), 1);
  });
  await t.step("a body with another digest, then gives up", async () => {
    await using registry = new MemoryRegistry();
    const { manifest } = await registry.addImage("a/b", "1");
    registry.fault(manifests(() => Response.json({})));
    const { client } = connect(registry);
    await using _ = client;
    strictEqual((await read(client, manifest.digest)).digest, manifest.digest);
    registry.fault(manifests(() => Response.json({})), 99);
    await rejects(read(client, manifest.digest), {
      kind: "corrupt",
      message: /its digest is sha256:44136fa3/,
    });
  });
});

Deno.test("RegistryClient follows redirects without credentials for others", async (t) => {
  await using registry = new MemoryRegistry();
  await using storage = new MemoryRegistry();
  await registry.addImage("a/b", "1");
  await storage.addImage("a/b", "1");
  registry.auth = { kind: "basic", user: "me", password: "secret-word" };
  const redirect = (location: string, times = 1) =>
    registry.fault(
      (request, url) =>
        request.headers.has("authorization") && url.pathname.includes("/manifests/")
          ? new Response(null, { status: 307, headers: { location } })
          : undefined,
      times,
    );
  const { client } = connect(registry, user(registry));
  await using _ = client;

  await t.step("another port is another host", async () => {
    redirect(`http://${storage.host}/v2/a/b/manifests/1?signature=secret`);
    await read(client);
    strictEqual(storage.seen.at(-1)?.authorization, undefined);
    notStrictEqual(registry.seen.at(-1)?.authorization, undefined);
  });
  await t.step("the same host keeps them", async () => {
    redirect("/v2/a/b/manifests/1?again");
    await read(client);
    ok(registry.seen.at(-1)?.path.endsWith("?again") && registry.seen.at(-1)?.authorization);
  });
  await t.step("no more than five", async () => {
    redirect("/v2/a/b/manifests/1", 6);
    await rejects(read(client), { kind: "refused", message: /there were 5 before it/ });
  });
  await t.step("other schemes are refused", async () => {
    redirect("file:///etc/passwd");
    await rejects(read(client), { kind: "refused", message: /"file:" is not followed/ });
  });
  await t.step("an expired signed address is asked for anew, and not shown", async () => {
    redirect(`http://${storage.host}/x?signature=hidden`, 2);
    storage.fault(() => new Response("expired", { status: 403 }));
    await rejects(
      read(client),
      (error: RegistryError) => error.kind === "missing" && !/hidden/.test(error.message),
    );
  });
});

Deno.test("RegistryClient bounds what it reads", async () => {
  await using registry = new MemoryRegistry();
  registry.fault((_, url) =>
    url.pathname.includes("/manifests/") ? new Response(new Uint8Array(5 << 20)) : undefined
  );
  const { client } = connect(registry);
  await using _ = client;
  await rejects(read(client), { kind: "corrupt", message: /longer than 4194304 bytes/ });
});

Deno.test("RegistryClient takes capitals of a host for what they are", async (t) => {
  for (const kind of ["basic", "bearer"] as const) {
    await t.step(kind, async () => {
      await using registry = new MemoryRegistry();
      const { manifest } = await registry.addImage("a/b", "1");
      registry.auth = { kind, user: "me", password: "secret-word" };
      const port = registry.host.split(":")[1];
      for (const name of ["localhost", "LOCALHOST", "LocalHost"]) {
        const auths = { [`localhost:${port}`]: { auth: btoa("me:secret-word") } };
        const env = { ...nowhere, DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) };
        await using client = new RegistryClient(`${name}:${port}`, { env });
        strictEqual((await read(client)).digest, manifest.digest);
        strictEqual(client.domain, `localhost:${port}`);
      }
    });
  }
});

Deno.test("RegistryClient names a token server whose answer is none", async (t) => {
  for (
    const [answer, why] of [["null", "is no JSON object"], ["[]", "is no JSON object"], [
      "{}",
      "holds no token",
    ]]
  ) {
    await t.step(answer!, async () => {
      await using registry = new MemoryRegistry();
      registry.auth = { kind: "bearer", user: "me", password: "secret-word" };
      registry.fault((_, url) => url.pathname === "/token" ? new Response(answer) : undefined, Infinity);
      await using client = connect(registry, user(registry)).client;
      await rejects(read(client), { message: new RegExp(`the answer of http://.*/token.* ${why}`) });
    });
  }
});
