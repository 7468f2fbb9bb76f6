import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { EngineError, type ErrorDetails } from "../../core/contract/errors.ts";
import type { EngineEvent } from "../../core/contract/events.ts";
import type { Digest, RegistryBackend, RegistryRequest } from "../../core/contract/plugin.ts";
import {
  clientFor,
  createOciBackend,
  OCI_CAPABILITIES,
  type ProviderApi,
} from "../../plugins/registry/_oci_backend.ts";
import { parseRepo } from "../../plugins/registry/_repo.ts";
import { failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { openOci, registryRequest } from "../support/registry_request.ts";
import { storeImage } from "../../testing/registry_conformance.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const { signal } = new AbortController();

/** Runs `body` with a backend of a registry in memory. */
async function withBackend(
  body: (registry: MemoryRegistry, backend: RegistryBackend) => Promise<void>,
  changes: Partial<RegistryRequest> = {},
): Promise<void> {
  await using registry = new MemoryRegistry();
  await using backend = await openOci(registryRequest(`${registry.host}/grp/shop`, changes));
  await body(registry, backend!);
}

Deno.test("registry-oci claims host/path of its kind only", async (t) => {
  const cases: readonly (readonly [string, string | undefined, boolean])[] = [
    ["reg.example/a", undefined, true],
    ["reg.example/a", "oci", true],
    ["reg.example/a", "harbor", false],
    ["oci:/tmp/x", undefined, false],
    ["me/app", undefined, true],
  ];
  for (const [repo, kind, claims] of cases) {
    await t.step(`${repo} ${kind ?? ""}`, async () => {
      await using backend = await openOci(registryRequest(repo, kind === undefined ? {} : { kind }));
      strictEqual(backend !== undefined, claims);
      if (backend) strictEqual(backend.kind, "oci");
    });
  }
});

Deno.test("parseRepo() takes repositories and says what is wrong with others", () => {
  const good: readonly (readonly [string, string, string])[] = [
    ["reg.example:5000/a/b", "reg.example:5000", "a/b"],
    ["localhost/app", "localhost", "app"],
    ["[::1]:5000/app", "[::1]:5000", "app"],
    ["me/app", "docker.io", "me/app"],
    ["index.docker.io/me/app", "docker.io", "me/app"],
  ];
  for (const [text, domain, path] of good) deepStrictEqual(parseRepo(text), { domain, path });
  const bad: readonly (readonly [string, RegExp])[] = [
    ["reg.example/Grp/App", /upper-case letters are not allowed.*Did you mean "reg.example\/grp\/app"\?$/],
    ["reg.example/app:1.2", /it has a tag, .*Did you mean "reg.example\/app"\?$/],
    ["reg.example:5000/app:1.2", /it has a tag, .*Did you mean "reg.example:5000\/app"\?$/],
    ["shlf:images", /no plugin opens "shlf:", and no tag belongs to it$/],
    ["oic:images/web", /no plugin opens "oic:", .*Did you mean "oci:images\/web"\?$/],
    ["https://reg.example/app", /it has a scheme, .*Did you mean "reg.example\/app"\?$/],
    ["reg.example/app/", /it ends with "\/".*Did you mean "reg.example\/app"\?$/],
    ["reg.example//app", /is no repository name.*Did you mean "reg.example\/app"\?$/],
    ["reg.example:5000", /it has no path, wanted is host\/path$/],
    [`reg.example/app@sha256:${"0".repeat(64)}`, /it has a digest.*Did you mean "reg.example\/app"\?$/],
    ["", /it is empty$/],
    ["reg.example/a b", /is no repository name/],
    [`reg.example/${"a".repeat(255)}`, /longer than 255 characters$/],
  ];
  for (const [text, message] of bad) {
    throws(() => parseRepo(text), (error: EngineError) => {
      strictEqual(error.code, "REPO_INVALID");
      ok(error.message.startsWith(`Cannot use repository "${text}": `), error.message);
      ok(message.test(error.message), error.message);
      return true;
    });
  }
});

Deno.test("registry-oci asks one HEAD per look-up once the host is known", async () => {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "basic", user: "me", password: "secret-word" };
  await registry.addImage("grp/shop", "1");
  const memo = new Map<string, unknown>();
  const access = { username: "me", password: "secret-word", insecure: [] };
  const run = async () => {
    await using backend = await openOci(registryRequest(`${registry.host}/grp/shop`, { access }, memo));
    const repository = backend!.repository("");
    ok(await repository.head("1", signal));
    strictEqual(await repository.head("2", signal), undefined);
  };
  await run();
  registry.seen.length = 0;
  await run();
  deepStrictEqual(registry.seen.map(({ method, path }) => `${method} ${path}`), [
    "HEAD /v2/grp/shop/manifests/1",
    "HEAD /v2/grp/shop/manifests/2",
  ]);
});

Deno.test("clientFor() shows the given login to the host of REPO alone", async () => {
  await using own = new MemoryRegistry();
  await using other = new MemoryRegistry();
  for (const registry of [own, other]) {
    registry.auth = { kind: "basic", user: "me", password: "secret-word" };
    await registry.addImage("a", "1");
  }
  const request = registryRequest(`${own.host}/a`, {
    access: { username: "me", password: "secret-word", insecure: [] },
    env: {
      HOME: "/nonexistent",
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [own.host]: { auth: btoa("me:other-word") } } }),
    },
  });
  for (const [registry, denied] of [[own, false], [other, true]] as const) {
    await using client = await clientFor(request, registry.host);
    await using backend = createOciBackend(client, "a", oci);
    const head = backend.repository("").head("1", signal);
    if (!denied) ok(await head);
    else {
      await rejects(head, (error: EngineError) => {
        strictEqual(error.code, "REGISTRY_DENIED");
        strictEqual(error.fix, `Log in with: docker login ${registry.host}`);
        ok(!/secret-word|other-word/.test(error.message));
        return true;
      });
    }
    ok(registry === own || registry.seen.every(({ authorization }) => authorization === undefined));
  }
});

const oci: ProviderApi = {
  kind: "oci",
  capabilities: OCI_CAPABILITIES,
};

Deno.test("createOciBackend() takes what the provider does better", async () => {
  await using registry = new MemoryRegistry();
  const request = registryRequest(`${registry.host}/me/app`);
  const calls: string[] = [];
  const provider: ProviderApi = {
    kind: "docker-hub",
    capabilities: { ...oci.capabilities, naming: "flat", nested: false, deletion: "tag", listing: "times" },
    async *tags(path) {
      calls.push(`tags ${path}`);
      yield { tag: "x", pushedAt: "2026-01-01T00:00:00Z" };
    },
    remove: (path, { tag }) => {
      calls.push(`remove ${path} ${tag}`);
      return Promise.resolve({ outcome: "absent" });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(void calls.push("dispose")),
  };
  {
    await using backend = createOciBackend(await clientFor(request, registry.host), "me/app", provider);
    const repository = backend.repository("");
    strictEqual(repository.name, `${registry.host}/me/app`);
    strictEqual((await Array.fromAsync(repository.tags(signal)))[0]?.pushedAt, "2026-01-01T00:00:00Z");
    const digest = digestFromHex("0".repeat(64));
    deepStrictEqual(await repository.remove({ tag: "x", digest, alone: true }, signal), {
      outcome: "absent",
    });
    throws(() => backend.repository("sub"), { code: "REGISTRY_UNSUPPORTED" });
  }
  deepStrictEqual(calls, ["tags me/app", "remove me/app x", "dispose"]);
});

Deno.test("registry-oci names repositories below REPO", async () => {
  await withBackend((registry, backend) => {
    strictEqual(backend.repository("app").name, `${registry.host}/grp/shop/app`);
    for (const bad of ["App", "../x", "a//b", "a:b"]) {
      throws(() => backend.repository(bad), { code: "REGISTRY_UNSUPPORTED" }, bad);
    }
    return Promise.resolve();
  });
});

Deno.test("registry-oci removes nothing but the tag", async (t) => {
  await t.step("and says so when the registry deletes nothing, leaving all tags as they are", async () => {
    await withBackend(async (registry, backend) => {
      registry.deletion = "off";
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      for (const alone of [true, false]) {
        await rejects(repository.remove({ tag: "a", digest, alone }, signal), (error: EngineError) => {
          strictEqual(error.code, "REGISTRY_UNSUPPORTED");
          ok(/storage\.delete\.enabled/.test(error.fix) && /--registry-kind/.test(error.fix), error.fix);
          return true;
        });
      }
      deepStrictEqual(registry.tagsOf("grp/shop"), { a: digest });
    });
  });
  await t.step("and never asks by tag again once the registry cannot do that", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      for (const tag of ["a", "b", "c"]) {
        const { digest } = await storeImage(repository, tag);
        await repository.remove({ tag, digest, alone: true }, signal);
        strictEqual(await repository.head(digest, signal), digest, "somebody may have put a tag on it");
      }
      const deletions = registry.seen.filter(({ method }) => method === "DELETE");
      strictEqual(deletions.filter(({ path }) => !path.includes("sha256:")).length, 1);
      // One to learn that, one to see that manifests can go, one for each tag.
      strictEqual(deletions.length, 5);
    });
  });
  await t.step("and removes tags of one moment together", async () => {
    for (const deletion of ["manifests", "tags", "greedy"] as const) {
      await withBackend(async (registry, backend) => {
        registry.deletion = deletion;
        const repository = backend.repository("");
        const tags = Array.from({ length: 12 }, (_, i) => `t${i}`);
        const digests: Digest[] = [];
        for (const tag of tags) digests.push((await storeImage(repository, tag)).digest);
        await repository.putManifest((await repository.manifest("t7", signal))!, "by-hand", signal);
        const outcomes = await Promise.all(
          tags.map((tag, i) => repository.remove({ tag, digest: digests[i]!, alone: i % 2 === 0 }, signal)),
        );
        deepStrictEqual(new Set(outcomes.map(({ outcome }) => outcome)), new Set(["removed"]));
        deepStrictEqual(registry.tagsOf("grp/shop"), { "by-hand": digests[7] });
        for (const digest of digests) strictEqual(await repository.head(digest, signal), digest);
        if (deletion === "manifests") ok(registry.count("/manifests/", "DELETE") <= 8);
      });
    }
  });
  await t.step("and says when a tag cannot be written, so that only its manifest could go", async () => {
    for (const status of [403, 409, 412]) {
      await withBackend(async (registry, backend) => {
        const repository = backend.repository("");
        const { digest } = await storeImage(repository, "a");
        await storeImage(repository, "b");
        registry.fault((request, url) =>
          request.method === "PUT" && url.pathname.endsWith("/manifests/a")
            ? failure(status, "PRECONDITION")
            : undefined
        );
        const done = await repository.remove({ tag: "a", digest, alone: true }, signal);
        strictEqual(done.outcome, "inseparable");
        strictEqual(await repository.head("a", signal), digest);
      });
    }
  });
  await t.step("and removes a tag whose deletion failed halfway", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      const warmUp = await storeImage(repository, "warm-up");
      await repository.remove({ tag: "warm-up", digest: warmUp.digest, alone: true }, signal);
      // distribution fails after it has deleted the manifest when it cannot read its list of tags; the next try meets 404.
      registry.fault((request) => request.method === "DELETE" ? failure(404, "MANIFEST_UNKNOWN") : undefined);
      const done = await repository.remove({ tag: "a", digest, alone: true }, signal);
      strictEqual(done.outcome, "removed");
      deepStrictEqual(registry.tagsOf("grp/shop"), {});
    });
  });
  await t.step("and never deletes blobs", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      await repository.putManifest((await repository.manifest(digest, signal))!, "b", signal);
      await repository.remove({ tag: "a", digest, alone: false }, signal);
      strictEqual(registry.count("/blobs/", "DELETE"), 0);
      deepStrictEqual(registry.tagsOf("grp/shop"), { b: digest });
    });
  });
  await t.step("and puts the tag back when its substitute cannot be deleted", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      await repository.putManifest((await repository.manifest(digest, signal))!, "b", signal);
      const warmUp = await storeImage(repository, "warm-up");
      await repository.remove({ tag: "warm-up", digest: warmUp.digest, alone: false }, signal);
      registry.fault((request, url) =>
        request.method === "DELETE" && url.pathname.includes("sha256:")
          ? failure(412, "PRECONDITION")
          : undefined
      );
      const done = await repository.remove({ tag: "a", digest, alone: false }, signal);
      strictEqual(done.outcome, "refused");
      deepStrictEqual(registry.tagsOf("grp/shop"), { a: digest, b: digest });
    });
  });
  await t.step("and does not take 404 for gone while the tag is there", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      registry.fault((request, url) =>
        request.method === "DELETE" && !url.pathname.includes("sha256:")
          ? new Response("no route", { status: 404 })
          : undefined
      );
      const done = await repository.remove({ tag: "a", digest, alone: true }, signal);
      deepStrictEqual(done, { outcome: "removed", by: "tag" });
      deepStrictEqual(Object.keys(registry.tagsOf("grp/shop")).filter((tag) => tag === "a"), []);
    });
  });
  await t.step("and leaves a tag that was moved meanwhile", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const old = await storeImage(repository, "a");
      const now = await storeImage(repository, "a");
      const done = await repository.remove({ tag: "a", digest: old.digest, alone: false }, signal);
      strictEqual(done.outcome, "refused");
      deepStrictEqual(registry.tagsOf("grp/shop"), { a: now.digest });
    });
  });
  for (const [status, headers] of [[503, undefined], [429, { "retry-after": "1" }]] as const) {
    await t.step(
      `and leaves a tag that was moved while the registry had it wait (status ${status})`,
      async () => {
        await withBackend(async (registry, backend) => {
          const repository = backend.repository("");
          const old = await storeImage(repository, "a");
          const other = await storeImage(repository, "b");
          const manifest = (await repository.manifest(other.digest, signal))!;
          const warmUp = await storeImage(repository, "warm-up");
          await repository.remove({ tag: "warm-up", digest: warmUp.digest, alone: true }, signal);
          let moving = false;
          registry.fault(async (request, url) => {
            if (
              moving || request.method !== "PUT" || !url.pathname.endsWith("/manifests/a")
            ) return undefined;
            moving = true;
            await repository.putManifest(manifest, "a", signal);
            return failure(status, "UNKNOWN", headers);
          });
          const done = await repository.remove({ tag: "a", digest: old.digest, alone: true }, signal);
          strictEqual(done.outcome, "refused");
          deepStrictEqual(registry.tagsOf("grp/shop"), { a: other.digest, b: other.digest });
        });
      },
    );
  }
  await t.step("and tells of missing rights", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const { digest } = await storeImage(repository, "a");
      registry.fault((request) => request.method === "DELETE" ? failure(403, "DENIED") : undefined);
      await rejects(repository.remove({ tag: "a", digest, alone: true }, signal), {
        code: "REGISTRY_DENIED",
      });
    });
  });
});

Deno.test("registry-oci explains failures", async (t) => {
  await t.step("a blob that was collected meanwhile can be told", async () => {
    await withBackend(async (registry, backend) => {
      const repository = backend.repository("");
      const image = await storeImage(repository);
      registry.dropBlob("grp/shop", image.layer.digest);
      await rejects(
        repository.putManifest(image, "a", signal),
        (error) =>
          error instanceof EngineError && error.code === "REGISTRY_FAILED" && error.details.missing === true,
      );
      deepStrictEqual(registry.tagsOf("grp/shop"), {});
    });
  });
  await t.step("with the facts that builds and cleanups go by", async () => {
    const rows: readonly [status: number, facts: Pick<ErrorDetails, "refused" | "unusable" | "limited">][] = [
      [400, { refused: true, unusable: true }],
      [403, { refused: true }],
      [409, { refused: true }],
      [418, { unusable: true }],
      [429, { limited: true }],
    ];
    for (const [status, wanted] of rows) {
      await withBackend(async (registry, backend) => {
        registry.fault(() => failure(status, "UNKNOWN"), Infinity);
        await rejects(backend.repository("").manifest("1", signal), (error: EngineError) => {
          const { refused, unusable, limited } = error.details;
          deepStrictEqual(JSON.parse(JSON.stringify({ refused, unusable, limited })), wanted, `${status}`);
          return true;
        });
      });
    }
  });
  await t.step("a host that does not answer", async () => {
    await using backend = await openOci(registryRequest("nowhere.invalid/a"));
    await rejects(backend!.repository("").head("1", signal), {
      code: "REGISTRY_FAILED",
      message: /no such host "nowhere.invalid"/,
    });
  });
  await t.step("a pause is told as a note", async () => {
    await using registry = new MemoryRegistry();
    const stop = new AbortController();
    const events: EngineEvent[] = [];
    await using backend = await openOci(registryRequest(`${registry.host}/a`), (event) => {
      events.push(event);
      stop.abort(new Error("stopped"));
    });
    registry.fault(() => failure(429, "TOOMANYREQUESTS", { "retry-after": "300" }), 9);
    await rejects(backend!.repository("").head("1", stop.signal), { message: "stopped" });
    deepStrictEqual(events, [{
      type: "note",
      level: "warn",
      text: `Registry "${registry.host}" asks to wait 300 s (status 429), waiting`,
    }]);
  });
});
