import { compressBlock, type Compression } from "./codec.ts";

/** What a worker is asked. Both directions transfer their buffers. */
export interface BlockRequest {
  readonly compression: Compression;
  /** A buffer of which the first `size` bytes are input. */
  readonly block: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly last: boolean;
}

/** The answer: compressed bytes, and the buffer back for reuse. */
export interface BlockReply {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly block: Uint8Array<ArrayBuffer>;
}

/** Of a worker, which the types of a main thread do not know. */
declare const self: {
  onmessage: (event: MessageEvent<BlockRequest>) => void;
  postMessage(reply: BlockReply, transfer: Transferable[]): void;
};

self.onmessage = ({ data }) => {
  const { compression, block, size, last } = data;
  // A copy, because the result may be a view of a pooled buffer, which must not be transferred.
  const bytes = new Uint8Array(compressBlock(compression, block.subarray(0, size), last));
  self.postMessage({ bytes, block } satisfies BlockReply, [bytes.buffer, block.buffer]);
};
