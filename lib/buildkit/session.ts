import { whyFailed } from "../file_failure.ts";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import {
  type ClientDuplexStream,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { Duplex } from "node:stream";
import {
  type BytesMessage,
  BytesMessageSchema,
  Control,
} from "./gen/github.com/moby/buildkit/api/services/control/control_pb.ts";
import { decoder, encoder, MESSAGE_SIZES, pathOf, type RpcClient, toBuffer } from "./rpc.ts";

/** A failure that a daemon is told with its gRPC code. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(readonly code: status, message: string) {
    super(message);
  }
}

/** A method that a daemon may call in a session. */
export interface Served {
  readonly method: DescMethod;
  readonly handle: UntypedHandleCall;
}

type Unary<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "unary";
  readonly input: I;
  readonly output: O;
};
type ServerStream<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "server_streaming";
  readonly input: I;
  readonly output: O;
};
type BiDi<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "bidi_streaming";
  readonly input: I;
  readonly output: O;
};

/** Serves a method with one question and one answer. */
export function serveUnary<I extends DescMessage, O extends DescMessage>(
  method: Unary<I, O>,
  answer: (request: MessageShape<I>, headers: Metadata) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
): Served {
  return {
    method,
    handle: (
      call: ServerUnaryCall<MessageShape<I>, MessageShape<O>>,
      reply: (error: Failure | null, value?: MessageShape<O>) => void,
    ) => {
      Promise.try(answer, call.request, call.metadata).then(
        (value) => reply(null, create(method.output, value)),
        (error) => reply(failure(error)),
      );
    },
  };
}

/** Serves a method with one question and many answers. */
export function serveStream<I extends DescMessage, O extends DescMessage>(
  method: ServerStream<I, O>,
  answers: (request: MessageShape<I>, headers: Metadata) => AsyncIterable<MessageInitShape<O>>,
): Served {
  return {
    method,
    handle: async (call: ServerWritableStream<MessageShape<I>, MessageShape<O>>) => {
      try {
        for await (const value of answers(call.request, call.metadata)) {
          if (call.cancelled) return;
          if (!call.write(create(method.output, value))) await drained(call);
        }
        call.end();
      } catch (error) {
        call.emit("error", failure(error));
      }
    },
  };
}

/** Serves a method in which both sides speak. */
export function serveDuplex<I extends DescMessage, O extends DescMessage>(
  method: BiDi<I, O>,
  talk: (
    requests: AsyncIterable<MessageShape<I>>,
    send: (value: MessageInitShape<O>) => Promise<void>,
    headers: Metadata,
  ) => Promise<void>,
): Served {
  return {
    method,
    handle: async (call: ServerDuplexStream<MessageShape<I>, MessageShape<O>>) => {
      try {
        // A stream that is left early must still be answered.
        await talk(call.iterator({ destroyOnReturn: false }), async (value) => {
          if (!call.write(create(method.output, value))) await drained(call);
        }, call.metadata);
        call.end();
      } catch (error) {
        call.emit("error", failure(error));
      }
    },
  };
}

/**
 * What a client offers to a daemon while it builds: services, called back through the client's own connection. BuildKit
 * carries that HTTP/2 connection in messages of the call `Session`.
 */
export class Session implements Disposable {
  /** Names it in builds. */
  readonly id = crypto.randomUUID().replaceAll("-", "").slice(0, 25);
  /** Settles when the daemon or this side has ended it. */
  readonly ended: Promise<void>;
  readonly #call: ClientDuplexStream<BytesMessage, BytesMessage>;
  readonly #server = new Server(MESSAGE_SIZES);

  /** `sharedKey`: files of a session are kept for later ones with the same key. */
  constructor(client: RpcClient, served: readonly Served[], sharedKey = "") {
    for (const [, methods] of Map.groupBy(served, ({ method }) => method.parent.typeName)) {
      this.#server.addService(
        Object.fromEntries(methods.map(({ method }) => [method.localName, definitionOf(method)])),
        Object.fromEntries(methods.map(({ method, handle }) => [method.localName, handle])),
      );
    }
    this.#server.addService(health, { check: healthy });
    this.#call = client.duplex(Control.method.session, {
      "x-docker-expose-session-uuid": this.id,
      "x-docker-expose-session-name": "dapp",
      "x-docker-expose-session-sharedkey": sharedKey,
      "x-docker-expose-session-grpc-method": served.map(({ method }) => pathOf(method)),
    });
    const end = Promise.withResolvers<void>();
    this.ended = end.promise;
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    injector.injectConnection(tunnel(this.#call, () => {
      this.#server.forceShutdown();
      end.resolve();
    }));
  }

  [Symbol.dispose](): void {
    this.#call.cancel();
  }
}

/** The bytes that go through a call, as a connection. */
function tunnel(call: ClientDuplexStream<BytesMessage, BytesMessage>, onEnd: () => void): Duplex {
  const connection = new Duplex({
    read: () => call.resume(),
    write(chunk: Uint8Array, _encoding, done) {
      // Whoever wrote it may use the memory again.
      call.write(create(BytesMessageSchema, { data: Uint8Array.from(chunk) }), () => done());
    },
    final(done) {
      call.end();
      done();
    },
  });
  const over = () => {
    connection.destroy();
    onEnd();
  };
  call.on("data", ({ data }) => {
    if (!connection.push(toBuffer(data))) call.pause();
  });
  call.on("end", over);
  call.on("error", over);
  connection.on("error", () => {});
  return connection;
}

interface Failure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

function failure(error: unknown): Failure & Error {
  const details = whyFailed(error);
  const code = error instanceof Refusal ? error.code : status.UNKNOWN;
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}

function definitionOf(method: DescMethod): ServiceDefinition[string] {
  return {
    path: pathOf(method),
    requestStream: method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming",
    responseStream: method.methodKind === "bidi_streaming" || method.methodKind === "server_streaming",
    requestSerialize: encoder(method.input),
    requestDeserialize: decoder(method.input),
    responseSerialize: encoder(method.output),
    responseDeserialize: decoder(method.output),
  };
}

/** `grpc.health.v1.Health/Check`, which BuildKit asks every few seconds: one message with `status = SERVING`. */
const health: ServiceDefinition = {
  check: {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Uint8Array) => toBuffer(bytes),
    requestDeserialize: (bytes: Uint8Array) => bytes,
    responseSerialize: (bytes: Uint8Array) => toBuffer(bytes),
    responseDeserialize: (bytes: Uint8Array) => bytes,
  },
};

function healthy(_call: unknown, reply: (error: null, value: Uint8Array) => void): void {
  reply(null, Buffer.of(8, 1));
}

function drained(stream: { once(event: string, listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}
