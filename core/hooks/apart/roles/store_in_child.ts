/** dapp's store, as a plugin that runs apart has it. */
import { EngineError } from "../../../contract/errors.ts";
import type { RegistryMemo } from "../../../contract/registry.ts";
import type { Blobs, Store } from "../../../contract/store.ts";
import { digestHex } from "../../../../lib/oci/digest.ts";
import { type Guard, isAnything, isObject, isText } from "../../../../lib/guard.ts";
import { Remote } from "../wire.ts";

/** Calls a method of an object of dapp's. */
export type AskDapp = (of: Remote, name: string, args: readonly unknown[]) => Promise<unknown>;

export function memoOf(memo: unknown, ask: AskDapp): RegistryMemo {
  const remote = requireRemote(memo);
  return {
    async get<T>(kind: string, key: string, is: Guard<T>) {
      const value = await ask(remote, "get", [kind, key]);
      return is(value) ? value : undefined;
    },
    async put(kind, key, value) {
      await ask(remote, "put", [kind, key, value]);
    },
  };
}

/** What dapp hands over of its store; the rest says that it is not there. */
export function storeOf(store: unknown, ask: AskDapp): Store {
  const { facts } = requireRemote(store);
  const { path, handed, lent } = facts;
  if (!isText(path) || !isText(handed) || !isText(lent)) throw new TypeError("dapp hands over no store");
  const remote = requireRemote(facts.blobs);
  const kept = requireRemote(facts.housekeeping);
  const blobs: Blobs = {
    scratch: () => Promise.resolve(handed),
    path: (digest) => `${lent}/${digestHex(digest)}`,
    size: async (digest) => await ask(remote, "size", [digest]) as number | undefined,
    get: async (digest) => await ask(remote, "get", [digest]) as Uint8Array,
    put: async (bytes) => await ask(remote, "put", [bytes]) as Awaited<ReturnType<Blobs["put"]>>,
    async adopt(file, digest) {
      await ask(remote, "adopt", [file, digest]);
    },
  };
  return {
    path,
    blobs,
    memo: memoOf(facts.memo, ask),
    stages: absent("stages"),
    locks: absent("locks"),
    housekeeping: absent<Store["housekeeping"]>("housekeeping", {
      directory: async (...parts: string[]) => await ask(kept, "directory", parts) as string,
    }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A plugin's own store: dapp looks itself whether what is remembered has the shape that it wants. */
export function wrapStore(store: Store): object {
  const { path, blobs, stages, memo, locks, housekeeping } = store;
  return {
    path,
    blobs,
    stages,
    locks,
    housekeeping,
    memo: isObject(memo) && {
      get: (kind: string, key: string) => memo.get(kind, key, isAnything),
      put: (kind: string, key: string, value: unknown) => memo.put(kind, key, value),
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** A part of the store that is not handed out, but for what is there: whatever else is called of it says so. */
function absent<T extends object>(part: string, there: Partial<T> = {}): T {
  return new Proxy(there as T, {
    get(own, member) {
      if (Object.hasOwn(own, member)) return Reflect.get(own, member);
      throw new EngineError(
        "PLUGIN_NOT_APART",
        `Cannot use "${part}.${
          String(member)
        }" of the store: a plugin that runs apart has "blobs", "memo" and "housekeeping.directory"`,
      );
    },
  });
}

function requireRemote(value: unknown): Remote {
  if (value instanceof Remote) return value;
  throw new TypeError("dapp hands over no such object");
}
