/** The store as a plugin that runs apart is handed it: bytes that it brings and may read, and what it remembers. */
import type { Store } from "../../../contract/store.ts";
import { isDigest } from "../../../../lib/oci/digest.ts";
import { isText } from "../../../../lib/guard.ts";
import { MAX_MESSAGE, type Reference } from "../wire.ts";
import type { Role } from "./role.ts";
import { givenStoreShape } from "./shapes.ts";
import { memoFor } from "./registry.ts";

/** Bytes of a blob that goes as a whole: in base64 it must fit into a message. */
const MAX_BYTES = MAX_MESSAGE / 2;

/** Hands out what a plugin needs of the store; stages and locks are dapp's. */
export async function giveStore(store: Store, role: Role): Promise<Reference> {
  const { exchange, plugin } = role.needs;
  const { blobs } = store;
  const { signal } = role;
  const checked = (digest: unknown) => {
    if (isDigest(digest)) return digest;
    throw new TypeError("a blob is named by a sha256 digest");
  };
  const given = {
    path: store.path,
    handed: await exchange.directory(),
    lent: exchange.lent,
    memo: memoFor(role, store.memo),
    housekeeping: {
      // Its own, which it can use as far as its rights go, and those of programs.
      async directory(...parts: readonly unknown[]) {
        if (!parts.every(isText)) throw new TypeError("a directory is named by texts");
        return await store.housekeeping.directory("plugins", plugin, ...parts);
      },
    },
    blobs: {
      size: (digest: unknown) => blobs.size(checked(digest)),
      async get(digest: unknown) {
        const wanted = checked(digest);
        const size = await blobs.size(wanted) ?? 0;
        if (size > MAX_BYTES) {
          throw new RangeError(`blob ${wanted} has ${size} bytes: it must be read as a file`);
        }
        return await blobs.get(wanted);
      },
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
