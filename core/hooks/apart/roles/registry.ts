/** A registry whose plugin runs apart: blobs go through files, and every byte that comes back is what it should be. */
import type {
  Digest,
  OutgoingBlob,
  RegistryAccess,
  RegistryBackend,
  RegistryMemo,
  RegistryRequest,
  Repository,
  TransferIo,
} from "../../../contract/plugin.ts";
import type * as z from "../../../../lib/zod.ts";
import { digestOf, isDigest } from "../../../../lib/oci/digest.ts";
import { isAnything, isCount, isText } from "../../../../lib/guard.ts";
import { Report } from "../reports.ts";
import type { Remote } from "../wire.ts";
import type { Role } from "./role.ts";
import * as schemas from "./schemas.ts";
import { memoShape, registryShape, repositoryShape } from "./shapes.ts";
import { Shared } from "../../../../lib/memoize.ts";

/** What the plugin is asked with. */
export function registryRequest(request: RegistryRequest, role: Role): unknown {
  const { access, memo, repo } = request;
  return {
    ...request,
    access: accessFor(repo, access, role),
    memo: role.give(memoFor(role, memo), memoShape),
  };
}

/**
 * How the user wants a registry to be reached. A plugin sees a login only for a host that it declares: otherwise whoever
 * is asked for registries would be told those of all.
 */
export function accessFor(name: string, access: RegistryAccess, { needs: { rights } }: Role): RegistryAccess {
  const host = name.split("/")[0]!;
  const isDeclared = (rights.hosts ?? []).some((each) => each === host || each === host.split(":")[0]);
  return isDeclared ? access : { insecure: access.insecure };
}

/** What a plugin remembers is nobody else's, whatever that calls itself: what another one reads could be made up. */
export function memoFor({ needs: { url } }: Role, memo: RegistryMemo) {
  const keyOf = (kind: unknown, key: unknown) => {
    if (!isText(kind) || !isText(key)) throw new TypeError("a memo is asked for by two texts");
    return JSON.stringify([url, kind, key]);
  };
  return {
    get: (kind: unknown, key: unknown) => memo.get("apart", keyOf(kind, key), isAnything),
    put: (kind: unknown, key: unknown, value: unknown) => memo.put("apart", keyOf(kind, key), value),
  };
}

/** The registry that a plugin answered with. */
export async function registryApart(answer: unknown, role: Role): Promise<RegistryBackend> {
  const remote = role.requireObject(answer, registryShape);
  const { kind, capabilities } = remote.facts;
  role.requireShape(capabilities, schemas.capabilities, "capabilities");
  if (!isText(kind)) throw role.wrong('its "kind" is no text');
  const root = await openRepository(remote, "", role);
  const below = new Map<string, Repository>();
  return {
    kind,
    capabilities,
    repository(name) {
      if (name === "") return root.repository;
      let repository = below.get(name);
      if (!repository) {
        const full = `${root.repository.name}/${name}`;
        const opened = new Shared(async () => (await openRepository(remote, name, role, full)).remote);
        repository = repositoryApart(full, root.remote.has, { open: () => opened.get(), role });
        below.set(name, repository);
      }
      return repository;
    },
    [Symbol.asyncDispose]: () => role.dispose(remote),
  };
}

async function openRepository(backend: Remote, name: string, role: Role, wanted?: string) {
  const remote = await role.object(backend, "repository", [name], { shape: repositoryShape });
  const full = remote.facts.name;
  if (!isText(full)) throw role.wrong('its "name" is no text', "repository");
  if (wanted !== undefined && full !== wanted) {
    throw role.wrong(`repository "${name}" is called "${full}", wanted is "${wanted}"`, "repository");
  }
  const open = () => Promise.resolve(remote);
  return { remote, repository: repositoryApart(full, remote.has, { open, role }) };
}

interface Place {
  /** The repository of the plugin. */
  open(): Promise<Remote>;
  readonly role: Role;
}

interface Wanted<T> {
  readonly signal: AbortSignal;
  readonly schema: z.ZodType<T>;
}

/** @param has methods that the plugin's repository has */
function repositoryApart(name: string, has: readonly string[], { open, role }: Place): Repository {
  const ask = async <T>(method: string, args: readonly unknown[], wanted: Wanted<T>): Promise<T> => {
    const { signal } = wanted;
    signal.throwIfAborted();
    return await role.ask(await open(), method, [...args, signal], wanted);
  };
  const tell = async (method: string, args: readonly unknown[], signal: AbortSignal) => {
    signal.throwIfAborted();
    await role.tell(await open(), method, [...args, signal], { signal });
  };
  return {
    name,
    head: (reference, signal) => ask("head", [reference], { signal, schema: schemas.digest.optional() }),
    async manifest(reference, signal) {
      const found = await ask("manifest", [reference], { signal, schema: schemas.manifest });
      if (!found) return undefined;
      const wanted = isDigest(reference) ? reference : found.digest;
      const made = await digestOf(found.bytes);
      if (made !== wanted || found.digest !== wanted) {
        throw role.wrong(`the digest of manifest ${wanted} is ${made}`, "manifest");
      }
      return found;
    },
    async blob({ digest, size }, signal) {
      const found = await ask("blob", [{ digest, size }], { signal, schema: schemas.bytes });
      if (found.length !== size) {
        throw role.wrong(`blob ${digest} has ${found.length} bytes, wanted are ${size}`, "blob");
      }
      const made = await digestOf(found);
      if (made !== digest) throw role.wrong(`the digest of what should be blob ${digest} is ${made}`, "blob");
      return found;
    },
    download: async ({ digest, size }, file, io) => {
      if (!isDigest(digest)) throw new TypeError(`Cannot read "${digest}": it is no sha256 digest`);
      const remote = await open();
      const { signal } = io;
      await role.receive("download", file, {
        blob: { digest, size },
        signal,
        write: (path, written) => {
          const { given, goesOn } = watched(io, size, written);
          return role.tell(remote, "download", [{ digest, size }, path, given], { signal, goesOn });
        },
      });
    },
    async upload(blob, io) {
      const remote = await open();
      const { signal } = io;
      signal.throwIfAborted();
      const { source, size } = blob;
      const { given, goesOn } = watched(io, size);
      const send = (from: OutgoingBlob["source"]) =>
        role.ask(remote, "upload", [{ ...blob, source: from }, given], {
          schema: schemas.uploaded,
          signal,
          goesOn,
        });
      if ("bytes" in source) return await send({ bytes: source.bytes });
      using lent = await role.needs.exchange.lend(source.file);
      return await send({ ...source, file: lent.path });
    },
    putManifest: ({ bytes, mediaType }, reference, signal) =>
      tell("putManifest", [{ bytes, mediaType }, reference], signal),
    async *tags(signal) {
      const is = role.item("tags", schemas.listedTag);
      yield* role.list(await open(), "tags", [signal], { signal, is });
    },
    remove: (wanted, signal) => ask("remove", [wanted], { signal, schema: schemas.removal }),
    ...(has.includes("probe") && {
      async probe({ digest, size }: Pick<OutgoingBlob, "digest" | "size">, options, io: TransferIo) {
        const remote = await open();
        const { signal } = io;
        signal.throwIfAborted();
        const { given, goesOn } = watched(io, size);
        return await role.ask(remote, "probe", [{ digest, size }, options, given], {
          schema: schemas.blobState,
          signal,
          goesOn,
        });
      },
    }),
    ...(has.includes("requirePush") && {
      requirePush: (signal: AbortSignal) => tell("requirePush", [], signal),
    }),
    ...(has.includes("removeUntagged") && {
      removeUntagged: (digest: Digest, signal: AbortSignal) =>
        ask("removeUntagged", [digest], { signal, schema: schemas.flag }),
    }),
    ...(has.includes("referrers") && {
      referrers: (digest: Digest, signal: AbortSignal) =>
        ask("referrers", [digest], { signal, schema: schemas.digests }),
    }),
    ...(has.includes("dropOverwritten") && {
      dropOverwritten: (digest: Digest, signal: AbortSignal) => tell("dropOverwritten", [digest], signal),
    }),
    ...(has.includes("inspect") && {
      inspect: (digest: Digest, signal: AbortSignal) =>
        ask("inspect", [digest], { signal, schema: schemas.features }),
    }),
  };
}

/** What a transfer is told with, and when it was last seen to go on. */
function watched({ signal, report }: TransferIo, size: number, written: () => number = () => 0) {
  let last = 0;
  const given = {
    signal,
    report: new Report((done: unknown) => {
      if (!isCount(done) || done > size) {
        throw new TypeError("what is done is no number of bytes of the blob");
      }
      last = performance.now();
      report(done);
    }),
  };
  return { given, goesOn: () => Math.max(last, written()) };
}
