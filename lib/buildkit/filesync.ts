import { status } from "@grpc/grpc-js";
import { FileSync } from "./gen/github.com/moby/buildkit/session/filesync/filesync_pb.ts";
import { Packet_PacketType as Kind } from "./gen/github.com/tonistiigi/fsutil/types/wire_pb.ts";
import { Refusal, type Served, serveDuplex } from "./session.ts";

/** A file, link or directory that a daemon may read. */
export type SharedEntry =
  & { readonly path: string; readonly mode: number }
  & (
    | { readonly kind: "file"; readonly size: number; read(): AsyncIterable<Uint8Array> }
    | { readonly kind: "link"; readonly target: string }
    | { readonly kind: "dir" }
  );

/** Directories by the name under which a build knows them. All entries have one time, seconds since 1970, and are root's. */
export interface SharedDirectories {
  /** In the order of a walk: directories before what is in them, names by their bytes. */
  readonly entries: Readonly<Record<string, readonly SharedEntry[]>>;
  readonly time: number;
}

/** Bits of Go's file modes. */
const MODES = { file: 0, link: 1 << 27, dir: 2 ** 31 } as const;

/**
 * Serves directories to a daemon. It is told all that is in them and asks for the contents it does not have. What it
 * would rather not be told of (patterns in the headers of its call) it is told as well: that is its right, and no duty.
 */
export function fileService({ entries, time }: SharedDirectories): readonly Served[] {
  return [serveDuplex(FileSync.method.diffCopy, async (requests, send, headers) => {
    const name = String(headers.get("dir-name")[0] ?? "");
    const list = entries[name];
    if (!list) throw new Refusal(status.NOT_FOUND, `there is no directory "${name}"`);
    const told = (async () => {
      for (const entry of list) {
        const stat = {
          path: entry.path,
          mode: MODES[entry.kind] + entry.mode,
          size: entry.kind === "file" ? BigInt(entry.size) : 0n,
          modTime: BigInt(time) * 1_000_000_000n,
          linkname: entry.kind === "link" ? entry.target : "",
        };
        await send({ type: Kind.PACKET_STAT, stat });
      }
      await send({ type: Kind.PACKET_STAT });
    })();
    told.catch(() => {}); // the call ends with it
    for await (const { type, ID, data } of requests) {
      switch (type) {
        case Kind.PACKET_REQ: {
          const entry = list[ID];
          if (entry?.kind !== "file") throw new Refusal(status.INVALID_ARGUMENT, `entry ${ID} is no file`);
          for await (const chunk of entry.read()) await send({ type: Kind.PACKET_DATA, ID, data: chunk });
          await send({ type: Kind.PACKET_DATA, ID });
          break;
        }
        case Kind.PACKET_FIN:
          await told;
          await send({ type: Kind.PACKET_FIN });
          return;
        case Kind.PACKET_ERR:
          throw new Error(new TextDecoder().decode(data));
        case Kind.PACKET_STAT:
        case Kind.PACKET_DATA:
          throw new Refusal(status.INVALID_ARGUMENT, "what a daemon sends are questions");
      }
    }
  })];
}
