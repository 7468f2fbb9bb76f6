import type { PluginKind } from "./kind.ts";

export const registry: PluginKind = {
  prefix: "registry-",
  what: "a kind of REPO, where images and stages are kept",
  named: "plugin",
  command: "dapp dimg bp @NAME@:images",
  module: `/**
 * A registry: REPO "@NAME@:DIR" keeps images as files of a directory, which is "dir" of its options or below. Put what you
 * keep them in in its place, and what that needs into the rights.
 */
import {
  definePlugin,
  type Descriptor,
  type Digest,
  digestFromHex,
  digestHex,
  digestOf,
  EngineError,
  isDigest,
  type ListedTag,
  type OutgoingBlob,
  parseDigest,
  type RegistryBackend,
  type RemoteManifest,
  type RemovalOutcome,
  type Repository,
  type TagRemoval,
  type TransferIo,
} from "@dapp/dapp/plugin";
import { createHash } from "node:crypto";

const start = "@NAME@:";

export default definePlugin({
  name: "registry-@NAME@",
  api: 1,
  options: (z) => z.strictObject({ dir: z.string().default("images") }),
  rights: ({ dir }) => ({ read: [dir], write: [dir] }),
  setup: () => ({
    // Undefined leaves a REPO to other plugins.
    openRegistry: ({ repo, projectDir, kind }) =>
      repo.startsWith(start) && (kind ?? "@NAME@") === "@NAME@"
        ? openDirectory(repo, new URL(repo.slice(start.length) + "/", "file://" + projectDir + "/").pathname)
        : undefined,
  }),
});

function openDirectory(repo: string, dir: string): RegistryBackend {
  const only = new DirectoryRepository(repo, dir);
  return {
    kind: "@NAME@",
    capabilities: { naming: "flat", nested: false, deletion: "tag", listing: "digests", pulls: false, settleMs: 0 },
    repository(name) {
      if (name === "") return only;
      throw new EngineError("REGISTRY_UNSUPPORTED", "Cannot use repository " + name + ": " + repo + " has none below");
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** "blobs/HEX", "manifests/HEX" with "types/HEX", and "tags/TAG", which holds a digest. */
class DirectoryRepository implements Repository {
  readonly name: string;
  readonly #dir: string;

  constructor(name: string, dir: string) {
    this.name = name;
    this.#dir = dir;
  }

  async head(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    signal.throwIfAborted();
    const digest = isDigest(reference) ? reference : await this.#tag(reference);
    return digest && await exists(this.#manifest(digest)) ? digest : undefined;
  }

  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    const digest = await this.head(reference, signal);
    if (digest === undefined) return undefined;
    const bytes = await Deno.readFile(this.#manifest(digest));
    if (await digestOf(bytes) !== digest) throw damaged(digest);
    return { digest, bytes, mediaType: await Deno.readTextFile(this.#path("types", digestHex(digest))) };
  }

  async blob({ digest }: Pick<Descriptor, "digest">, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    const bytes = await ifThere(() => Deno.readFile(this.#blob(digest)));
    if (bytes && await digestOf(bytes) === digest) return bytes;
    throw bytes ? damaged(digest) : missing(digest);
  }

  async download({ digest, size }: Pick<Descriptor, "digest" | "size">, file: string, io: TransferIo): Promise<void> {
    if (!await exists(this.#blob(parseDigest(digest)))) throw missing(digest);
    await copyVerified(this.#blob(digest), file, digest, io.signal);
    io.report(size);
  }

  async upload(
    { digest, size, source, anew }: OutgoingBlob,
    { signal, report }: TransferIo,
  ): Promise<"present" | "uploaded"> {
    signal.throwIfAborted();
    if (!anew && await exists(this.#blob(digest))) return "present";
    // Others see it when it is whole, since a link is made at once or not at all, and a file replaced.
    const part = await this.#part();
    try {
      if ("file" in source) await copyVerified(source.file, part, digest, signal);
      else if (await digestOf(source.bytes) === digest) await Deno.writeFile(part, source.bytes);
      else throw damaged(digest);
      await Deno.mkdir(this.#path("blobs"), { recursive: true });
      await (anew ? Deno.rename : Deno.link)(part, this.#blob(digest));
      report(size);
      return "uploaded";
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return "present";
      throw error;
    } finally {
      await ifThere(() => Deno.remove(part));
    }
  }

  async putManifest(
    { bytes, mediaType }: { readonly bytes: Uint8Array; readonly mediaType: string },
    reference: string,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const named: { config?: Descriptor; layers?: Descriptor[]; manifests?: Descriptor[] } = JSON.parse(
      new TextDecoder().decode(bytes),
    );
    const blobs = [...named.config ? [named.config] : [], ...named.layers ?? []].map(({ digest }) => this.#blob(digest));
    const manifests = (named.manifests ?? []).map(({ digest }) => this.#manifest(digest));
    for (const path of [...blobs, ...manifests]) if (!await exists(path)) throw missing(path);
    const digest = await digestOf(bytes);
    await this.#put("types", digestHex(digest), new TextEncoder().encode(mediaType));
    await this.#put("manifests", digestHex(digest), bytes);
    if (!isDigest(reference)) await this.#put("tags", reference, new TextEncoder().encode(digest));
  }

  async *tags(signal: AbortSignal): AsyncIterable<ListedTag> {
    signal.throwIfAborted();
    const names = await ifThere(() => Array.fromAsync(Deno.readDir(this.#path("tags"))));
    for (const { name } of names ?? []) {
      const digest = await this.#tag(name);
      if (digest) yield { tag: name, digest };
    }
  }

  async remove({ tag }: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    signal.throwIfAborted();
    if (await this.#tag(tag) === undefined) return { outcome: "absent" };
    await ifThere(() => Deno.remove(this.#path("tags", tag)));
    return { outcome: "removed", by: "tag" };
  }

  async #tag(tag: string): Promise<Digest | undefined> {
    const text = await ifThere(() => Deno.readTextFile(this.#path("tags", tag)));
    return text === undefined ? undefined : parseDigest(text);
  }

  async #put(kind: string, name: string, bytes: Uint8Array): Promise<void> {
    const part = await this.#part();
    await Deno.writeFile(part, bytes);
    await Deno.mkdir(this.#path(kind), { recursive: true });
    await Deno.rename(part, this.#path(kind, name));
  }

  /** A file that nobody else knows, on the same disk. */
  async #part(): Promise<string> {
    await Deno.mkdir(this.#path("parts"), { recursive: true });
    return this.#path("parts", crypto.randomUUID());
  }

  #blob(digest: string): string {
    return this.#path("blobs", digestHex(parseDigest(digest)));
  }

  #manifest(digest: string): string {
    return this.#path("manifests", digestHex(parseDigest(digest)));
  }

  #path(...parts: readonly string[]): string {
    return this.#dir + parts.join("/");
  }
}

async function copyVerified(from: string, to: string, digest: string, signal: AbortSignal): Promise<void> {
  await Deno.copyFile(from, to);
  const hash = createHash("sha256");
  for await (const chunk of (await Deno.open(to)).readable) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  if (digestFromHex(hash.digest("hex")) === digest) return;
  await Deno.remove(to);
  throw damaged(digest);
}

async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await ifThere(() => Deno.stat(path)) !== undefined;
}

function damaged(digest: string): EngineError {
  return new EngineError("REGISTRY_FAILED", "Cannot use " + digest + ": its content is another one");
}

function missing(what: string): EngineError {
  return new EngineError("REGISTRY_FAILED", "Cannot find " + what + ": it is not there", { missing: true });
}
`,
  test: `import { strictEqual } from "node:assert/strict";
import { createTestHost, openPlugin, registryConformance } from "@dapp/dapp/testing";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// The rules of all registries, each tried with an empty one.
registryConformance("registry-@NAME@", async () => {
  await using stack = new AsyncDisposableStack();
  const host = stack.use(await createTestHost());
  const opened = stack.use(await openPlugin(plugin, host, { apart }));
  const backend = await opened.openRegistry("@NAME@:images");
  if (!backend) return undefined;
  const kept = stack.move();
  return { backend, [Symbol.asyncDispose]: () => kept.disposeAsync() };
});

Deno.test("every other REPO is left to others", async () => {
  await using host = await createTestHost();
  await using opened = await openPlugin(plugin, host, { apart });
  for (const repo of ["oci:images", "registry.example.com/group/app"]) {
    strictEqual(await opened.openRegistry(repo), undefined);
  }
});
`,
};
