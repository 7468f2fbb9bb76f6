import { Buffer } from "node:buffer";
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

/** Headers of a call; a list is a header that occurs several times. */
export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** How a call is made. */
export interface CallSettings {
  readonly signal?: AbortSignal;
  readonly headers?: Headers;
}

/** Messages are as large as they are: whoever listens is the user's own. */
export const MESSAGE_SIZES = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
} as const;

const OPTIONS: ClientOptions = {
  ...MESSAGE_SIZES,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};

/** Bytes of a message, as gRPC wants them. */
export function encoder<D extends DescMessage>(schema: D): (message: MessageShape<D>) => Buffer {
  return (message) => toBuffer(toBinary(schema, message));
}

/** A message from its bytes. */
export function decoder<D extends DescMessage>(schema: D): (bytes: Uint8Array) => MessageShape<D> {
  return (bytes) => fromBinary(schema, bytes);
}

/** The path of a method. */
export function pathOf(
  { name, parent }: { readonly name: string; readonly parent: { readonly typeName: string } },
): string {
  return `/${parent.typeName}/${name}`;
}

/** A connection to a gRPC server, which takes methods of generated code. */
export class RpcClient {
  readonly #client: Client;

  constructor(address: string, credentials: ChannelCredentials, options: ClientOptions = {}) {
    this.#client = new Client(address, credentials, { ...OPTIONS, ...options });
  }

  /** Asks once. @throws {ServiceError} */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal, headers = {} }: CallSettings = {},
  ): Promise<MessageShape<O>> {
    const answer = Promise.withResolvers<MessageShape<O>>();
    const call = this.#client.makeUnaryRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      create(method.input, request),
      metadataOf(headers),
      (error, value) => error ? answer.reject(error) : answer.resolve(value!),
    );
    return withSignal(answer.promise, call, signal);
  }

  /** Asks once, and is told answers until the server ends. @throws {ServiceError} */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    onMessage: (message: MessageShape<O>) => void,
    { signal, headers = {} }: CallSettings = {},
  ): Promise<void> {
    const end = Promise.withResolvers<void>();
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      create(method.input, request),
      metadataOf(headers),
    );
    call.on("data", (message: MessageShape<O>) => onMessage(message));
    call.on("error", end.reject);
    call.on("end", end.resolve);
    return withSignal(end.promise, call, signal);
  }

  /** Opens a call in which both sides speak. */
  duplex<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    headers: Headers = {},
  ): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
    return this.#client.makeBidiStreamRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      metadataOf(headers),
    );
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Whether something thrown is an answer of gRPC's. */
export function isRpcError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error;
}

/** The same bytes as a Node.js buffer. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === "string" ? [value] : value) metadata.add(name, one);
  }
  return metadata;
}

async function withSignal<T>(
  work: Promise<T>,
  call: { cancel(): void },
  signal: AbortSignal | undefined,
): Promise<T> {
  const stop = () => call.cancel();
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await work;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
