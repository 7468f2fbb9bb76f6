/** The store as a plugin that runs apart is handed it: bytes that it brings and may read, and what it remembers. */
import type { Store } from "../../../contract/store.ts";
import { isDigest } from "../../../../lib/oci/digest.ts";
import { isText } from "../../../../lib/guard.ts";
import type { Reference } from "../wire.ts";
import type { Role } from "./role.ts";
import { givenStoreShape } from "./shapes.ts";
import { memoFor } from "./registry.ts";

/** Hands out what a plugin needs of the store; stages and locks are dapp's. */
export async function giveStore(store: Store, role: Role): Promise<Reference> {
  const { exchange, plugin } = role.needs;
  const { blobs } = store;
  const { signal } = new AbortController();
  const checked = (digest: unknown) => {
    if (isDigest(digest)) return digest;
    throw new TypeError("a blob is named by a sha256 digest");
  };
  const given = {
    path: store.path,
    handed: await exchange.directory(),
    lent: exchange.lent,
    memo: memoFor(plugin, store.memo),
    housekeeping: {
      // Its own, which it can use as far as its rights go, and those of programs.
      async directory(...parts: readonly unknown[]) {
        if (!parts.every(isText)) throw new TypeError("a directory is named by texts");
        return await store.housekeeping.directory("plugins", plugin, ...parts);
      },
    },
    blobs: {
      size: (digest: unknown) => blobs.size(checked(digest)),
      get: (digest: unknown) => blobs.get(checked(digest)),
      async put(bytes: unknown) {
        if (bytes instanceof Uint8Array) return await blobs.put(bytes);
        throw new TypeError("a blob is bytes");
      },
      async adopt(path: unknown, digest: unknown) {
        const [from, known] = [isText(path) ? path : "", checked(digest)];
        const file = `${await blobs.scratch()}/${crypto.randomUUID()}`;
        await role.take("adopt", from, file, { digest: known, signal });
        await blobs.adopt(file, known);
      },
    },
  };
  return role.give(given, givenStoreShape);
}
