/** A store of a test's making: blobs in a temporary directory, everything else in memory. */
import {
  type Digest,
  digestHex,
  digestOf,
  EngineError,
  type Guard,
  type StageRecord,
  type Store,
} from "../core/contract/plugin.ts";

/**
 * Makes an empty store, which is gone when it is disposed of. It is whole enough for a builder to take layers from and to
 * leave them in; nothing else shares it, so its locks never wait. For the role of the store itself there is
 * {@linkcode storeConformance}.
 *
 * @example
 * ```ts
 * import { createTestStore } from "@dapp/dapp/testing";
 *
 * await using store = await createTestStore();
 * const { digest } = await store.blobs.put(new TextEncoder().encode("hi"));
 * console.assert(await store.blobs.size(digest) === 2);
 * ```
 */
export async function createTestStore(): Promise<Store> {
  const path = await Deno.makeTempDir({ prefix: "dapp-testing-" });
  const inside = async (...parts: readonly string[]) => {
    const directory = [path, ...parts].join("/");
    await Deno.mkdir(directory, { recursive: true });
    return directory;
  };
  await inside("blobs");
  const fileOf = (digest: Digest) => `${path}/blobs/${digestHex(digest)}`;
  const sizeOf = (digest: Digest) => Deno.stat(fileOf(digest)).then(({ size }) => size, () => undefined);
  const records = new Map<string, StageRecord>();
  const histories = new Map<
    string,
    { readonly signature: StageRecord["signature"]; readonly at: string }[]
  >();
  const remembered = new Map<string, string>();
  const released: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };
  return {
    path,
    blobs: {
      scratch: () => inside("scratch"),
      path: fileOf,
      size: sizeOf,
      adopt: (file, digest) => Deno.rename(file, fileOf(digest)),
      async put(bytes) {
        const digest = await digestOf(bytes);
        await Deno.writeFile(fileOf(digest), bytes);
        return { mediaType: "application/octet-stream", digest, size: bytes.length };
      },
      async get(digest) {
        const bytes = await Deno.readFile(fileOf(digest)).catch(() => undefined);
        if (bytes && await digestOf(bytes) === digest) return bytes;
        throw new EngineError("STORE_CORRUPT", `Cannot read blob ${digest}: it is not in store "${path}"`);
      },
    },
    stages: {
      async whole(signature) {
        const record = records.get(signature);
        const sizes = await Promise.all((record?.image.layers ?? []).map(({ digest }) => sizeOf(digest)));
        return sizes.includes(undefined) ? undefined : record;
      },
      record: (signature) => Promise.resolve(records.get(signature)),
      async *all() {
        yield* records.values();
      },
      put: (record) => Promise.resolve(void records.set(record.signature, record)),
      history: (...key) => Promise.resolve(histories.get(JSON.stringify(key)) ?? []),
      addHistory(project, image, stage, signature) {
        const key = JSON.stringify([project, image, stage]);
        const before = (histories.get(key) ?? []).filter((row) => row.signature !== signature);
        histories.set(key, [{ signature, at: new Date().toISOString() }, ...before]);
        return Promise.resolve();
      },
    },
    memo: {
      get<T>(kind: string, key: string, is: Guard<T>) {
        const value: unknown = JSON.parse(remembered.get(JSON.stringify([kind, key])) ?? "null");
        return Promise.resolve(is(value) ? value : undefined);
      },
      put: (kind, key, value) =>
        Promise.resolve(void remembered.set(JSON.stringify([kind, key]), JSON.stringify(value))),
    },
    locks: {
      take: () => Promise.resolve(released),
      claim: () => Promise.resolve(),
      claimed: () => Promise.resolve(new Map()),
    },
    housekeeping: {
      check: () => Promise.resolve({ blobs: 0, bytes: 0, stages: records.size, problems: [], repaired: [] }),
      forget: (signature) => Promise.resolve(void records.delete(signature)),
      sweep: () => Promise.resolve({ path: `${path}/blobs`, blobs: 0, bytes: 0, busy: true }),
      directory: (...parts) => inside("kept", ...parts),
      makeRoom: () => Promise.resolve(false),
      sections: () => Promise.resolve([]),
    },
    // What an ordinary user's builder unpacked may belong to others; a temporary directory may stay.
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }).catch(() => {}),
  };
}
