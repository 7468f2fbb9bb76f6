import { openCodec } from "./codec.ts";
import type { Compression } from "./format.ts";

/** What a worker is asked. Both directions transfer their buffers. */
export interface BlockRequest {
  /** The same in all requests. */
  readonly compression: Compression;
  /** A buffer of which the first `size` bytes are input. */
  readonly block: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly last: boolean;
  /** A buffer for the answer, if there is one that is no longer in use. */
  readonly room?: Uint8Array<ArrayBuffer> | undefined;
}

/** The answer: `size` compressed bytes in `room`, and the block back for reuse. */
export interface BlockReply {
  readonly room: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly block: Uint8Array<ArrayBuffer>;
}

/** Of a worker, which the types of a main thread do not know. */
declare const self: {
  onmessage: (event: MessageEvent<BlockRequest>) => void;
  postMessage(reply: BlockReply, transfer: Transferable[]): void;
};

let codec: ReturnType<typeof openCodec> | undefined;

self.onmessage = async ({ data }) => {
  const { compression, block, size, last } = data;
  const compress = await (codec ??= openCodec(compression));
  const bytes = compress(block.subarray(0, size), last);
  // A copy, because the result may be a view of a buffer that is used again, which must not be transferred.
  const room = data.room && data.room.length >= bytes.length
    ? data.room
    : new Uint8Array(Math.max(bytes.length, size));
  room.set(bytes);
  self.postMessage({ room, size: bytes.length, block }, [room.buffer, block.buffer]);
};
