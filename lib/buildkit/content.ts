import { status } from "@grpc/grpc-js";
import type { Metadata } from "@grpc/grpc-js";
import {
  Content,
  WriteAction,
} from "./gen/github.com/containerd/containerd/api/services/content/v1/content_pb.ts";
import { Refusal, type Served, serveDuplex, serveStream, serveUnary } from "./session.ts";

/** Blobs that a daemon reads from its client, or hands to it. */
export interface BlobExchange {
  /** Size in bytes, or undefined when the blob is not here. */
  size(digest: string): Promise<number | undefined>;
  /** `length` bytes from `offset` on, or all the rest when it is 0. */
  read(digest: string, offset: number, length: number): AsyncIterable<Uint8Array>;
  /** Takes a blob that is not here. */
  receive(digest: string): Promise<BlobSink>;
}

/** Takes the bytes of a blob. */
export interface BlobSink {
  write(chunk: Uint8Array): Promise<void>;
  /** All bytes are there. @throws when they are not those of the digest */
  commit(): Promise<void>;
  /** Gives up; harmless after `commit`. */
  abort(): Promise<void>;
}

/** Some time in the past: nobody needs it, and it must be set. */
const SOME_TIME = { seconds: 1_700_000_000n };

/** containerd's content service, by the names under which a build knows the stores: `oci:NAME` and `export`. */
export function contentService(stores: Readonly<Record<string, BlobExchange>>): readonly Served[] {
  const storeOf = (headers: Metadata): BlobExchange => {
    const id = String(headers.get("buildkit-attachable-store-id")[0] ?? "");
    const store = stores[id];
    if (!store) throw new Refusal(status.NOT_FOUND, `there is no store "${id}"`);
    return store;
  };
  const { info, read, status: progress, write, abort, update } = Content.method;
  return [
    serveUnary(info, async ({ digest }, headers) => {
      const size = await storeOf(headers).size(digest);
      if (size === undefined) throw new Refusal(status.NOT_FOUND, `${digest}: not found`);
      return { info: { digest, size: BigInt(size), createdAt: SOME_TIME, updatedAt: SOME_TIME } };
    }),
    serveStream(read, async function* ({ digest, offset, size }, headers) {
      let at = offset;
      for await (const data of storeOf(headers).read(digest, Number(offset), Number(size))) {
        yield { offset: at, data };
        at += BigInt(data.length);
      }
    }),
    serveUnary(progress, ({ ref }) => {
      throw new Refusal(status.NOT_FOUND, `${ref}: not found`);
    }),
    serveUnary(abort, () => ({})),
    serveUnary(update, ({ info }) => info ? { info } : {}),
    serveDuplex(write, async (requests, send, headers) => {
      let sink: BlobSink | undefined;
      let offset = 0n;
      let total = 0n;
      let expected = "";
      try {
        for await (const request of requests) {
          total = request.total || total;
          expected = request.expected || expected;
          if (!sink) {
            const store = storeOf(headers);
            if (await store.size(expected) !== undefined) {
              throw new Refusal(status.ALREADY_EXISTS, `content ${expected} already exists`);
            }
            sink = await store.receive(expected);
          }
          if (request.action !== WriteAction.STAT && request.data.length > 0) {
            await sink.write(request.data);
            offset += BigInt(request.data.length);
          }
          const { action } = request;
          if (action === WriteAction.COMMIT) await sink.commit();
          const digest = action === WriteAction.COMMIT ? expected : "";
          await send({ action, startedAt: SOME_TIME, updatedAt: SOME_TIME, offset, total, digest });
          if (action === WriteAction.COMMIT) return;
        }
      } finally {
        await sink?.abort();
      }
    }),
  ];
}
