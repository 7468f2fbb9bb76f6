/**
 * A store whose plugin runs apart. dapp reads and writes its files itself, so every path is looked at: the plugin must be
 * able to write there itself.
 */
import type { Blobs, Digest, Housekeeping, Locks, Stages, Store } from "../../../contract/plugin.ts";
import type { StoreSection } from "../../../contract/store.ts";
import type { Signature } from "../../../contract/signature.ts";
import { digestFromHex, digestHex, digestOf } from "../../../../lib/oci/digest.ts";
import { type Guard, isText } from "../../../../lib/guard.ts";
import { observed } from "../../../../lib/pool.ts";
import { plain } from "../../../../lib/plain.ts";
import { Remote } from "../wire.ts";
import type { Role } from "./role.ts";
import * as schemas from "./schemas.ts";
import { lockShape, storeShape } from "./shapes.ts";

/** The store that a plugin answered with. */
export async function storeApart(answer: unknown, role: Role): Promise<Store> {
  const remote = role.requireObject(answer, storeShape);
  const { facts } = remote;
  if (!isText(facts.path)) throw role.wrong('its "path" is no text');
  const part = (name: keyof typeof storeShape.parts) =>
    role.requireObject(facts[name], storeShape.parts[name]);
  const memo = part("memo");
  return {
    path: plain(facts.path),
    blobs: await blobsApart(part("blobs"), role),
    stages: stagesApart(part("stages"), role),
    memo: {
      async get<T>(kind: string, key: string, is: Guard<T>) {
        const value = await role.tell(memo, "get", [kind, key]);
        return is(value) ? value : undefined;
      },
      async put(kind, key, value) {
        await role.tell(memo, "put", [kind, key, value]);
      },
    },
    locks: locksApart(part("locks"), role),
    housekeeping: housekeepingApart(part("housekeeping"), role),
    [Symbol.asyncDispose]: () => role.dispose(remote),
  };
}

async function blobsApart(remote: Remote, role: Role): Promise<Blobs> {
  const path = await learnPaths(remote, role);
  return {
    path,
    scratch: async () => await role.requireWritable(await role.tell(remote, "scratch", []), "scratch"),
    size: (digest) => role.ask(remote, "size", [digest], { schema: schemas.size }),
    async adopt(file, digest) {
      await role.tell(remote, "adopt", [file, digest]);
    },
    async put(bytes) {
      const stored = await role.ask(remote, "put", [bytes], { schema: schemas.stored });
      if (stored.digest !== await digestOf(bytes) || stored.size !== bytes.length) {
        throw role.wrong("it stored something else", "put");
      }
      return stored;
    },
    async get(digest) {
      const found = await role.ask(remote, "get", [digest], { schema: schemas.bytes });
      const made = await digestOf(found);
      if (made !== digest) throw role.wrong(`the digest of what should be blob ${digest} is ${made}`, "get");
      return found;
    },
    ...(remote.has.includes("isUntouched") && {
      isUntouched: (digest: Digest) => role.ask(remote, "isUntouched", [digest], { schema: schemas.flag }),
    }),
  };
}

/** Digests whose paths are looked at, in order to know those of all others. */
const PROBES = 16;

/**
 * Where blobs are must be told at once, without asking another process. So it is learned: each character of a path is the
 * same in all, or one of the digest's.
 */
async function learnPaths(remote: Remote, role: Role): Promise<(digest: Digest) => string> {
  const hexes = Array.from({ length: PROBES }, () => crypto.getRandomValues(new Uint8Array(32)).toHex());
  const paths = await Promise.all(
    hexes.map((hex) => role.ask(remote, "path", [digestFromHex(hex)], { schema: schemas.blobPath })),
  );
  const first = paths[0]!;
  const places = Array.from(first, (char, at) => {
    if (paths.every((path) => path[at] === char)) return char;
    return Array.from(hexes[0]!).findIndex((_, i) => paths.every((path, row) => path[at] === hexes[row]![i]));
  });
  if (places.includes(-1) || paths.some((path) => path.length !== first.length)) {
    throw role.wrong("a path is not made of a fixed text and characters of the digest", "path");
  }
  await role.requireWritable(first, "path");
  return (digest) => {
    const hex = digestHex(digest);
    return places.map((place) => typeof place === "string" ? place : hex[place]).join("");
  };
}

function stagesApart(remote: Remote, role: Role): Stages {
  const record = async (method: "whole" | "record", signature: Signature) => {
    const found = await role.ask(remote, method, [signature], { schema: schemas.record });
    if (found && found.signature !== signature) throw role.wrong("it is the record of another stage", method);
    return found;
  };
  return {
    whole: (signature) => record("whole", signature),
    record: (signature) => record("record", signature),
    all: () => role.list(remote, "all", [], { is: role.item("all", schemas.record.unwrap()) }),
    async put(record) {
      await role.tell(remote, "put", [record]);
    },
    history: (...key) => role.ask(remote, "history", key, { schema: schemas.history }),
    async addHistory(...row) {
      await role.tell(remote, "addHistory", row);
    },
  };
}

function locksApart(remote: Remote, role: Role): Locks {
  return {
    async take(name, { timeoutMs, signal, onWait }) {
      const given = {
        timeoutMs,
        signal,
        onWait: (holder: unknown) => onWait?.(isText(holder) ? plain(holder) : "another process"),
      };
      // How long it waits is said.
      signal.throwIfAborted();
      const { abortable } = await import("@std/async/abortable");
      const taking = role.object(remote, "take", [name, given], { goesOn: "alive", shape: lockShape });
      try {
        const lock = await abortable(taking, signal);
        return { [Symbol.asyncDispose]: () => role.release(lock) };
      } catch (error) {
        observed(taking.then((lock) => role.release(lock)));
        throw error;
      }
    },
    async claim(signatures) {
      await role.tell(remote, "claim", [signatures]);
    },
    claimed: () => role.ask(remote, "claimed", [], { schema: schemas.claimed }),
  };
}

function housekeepingApart(remote: Remote, role: Role): Housekeeping {
  const long = { goesOn: "alive" } as const;
  return {
    check: (options) => role.ask(remote, "check", [options], { ...long, schema: schemas.storeReport }),
    async forget(signature) {
      await role.tell(remote, "forget", [signature]);
    },
    sweep: (options) => role.ask(remote, "sweep", [options], { ...long, schema: schemas.swept }),
    directory: async (...parts) =>
      await role.requireWritable(await role.tell(remote, "directory", parts), "directory"),
    makeRoom: () => role.ask(remote, "makeRoom", [], { schema: schemas.flag }),
    async sections() {
      const found = await role.tell(remote, "sections", []);
      if (!Array.isArray(found)) throw role.wrong("it is no list", "sections");
      return found.map((section): StoreSection => {
        const { path, what } = section instanceof Remote ? section.facts : {};
        if (!isText(path) || !isText(what)) throw role.wrong("an entry is no section", "sections");
        return {
          path: plain(path),
          what: plain(what),
          async remove() {
            await role.tell(section, "remove", [], long);
          },
        };
      });
    },
  };
}
