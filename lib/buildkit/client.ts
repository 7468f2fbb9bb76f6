import { fromBinary, fromJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import type { ChannelCredentials } from "@grpc/grpc-js";
import {
  Control,
  type SolveRequestSchema,
} from "./gen/github.com/moby/buildkit/api/services/control/control_pb.ts";
import { type ExecOp, OpSchema } from "./gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import type { WorkerRecord } from "./gen/github.com/moby/buildkit/api/types/worker_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import { hasMembers, isCount, isListOf, isObject, isOptional, isText } from "../guard.ts";
import { watching } from "../watch.ts";
import { isRpcError, RpcClient } from "./rpc.ts";
import { type Served, Session } from "./session.ts";

/** What a build is told while it runs. */
export interface SolveEvents {
  /** An operation begins, ends, or is known: `cached`. May come several times. */
  vertex?(vertex: SolveVertex): void;
  /** An operation prints. */
  log?(line: { readonly vertex: string; readonly stream: number; readonly bytes: Uint8Array }): void;
}

/** The state of an operation. */
export interface SolveVertex {
  readonly digest: string;
  readonly name: string;
  readonly cached: boolean;
  /** Seconds since 1970 by the daemon's clock; undefined before it has begun. */
  readonly started?: number;
  /** It has ended, well or not. */
  readonly ended: boolean;
  /** Why it failed. */
  readonly error?: string;
}

/** A BuildKit daemon. */
export class BuildkitClient implements Disposable {
  readonly rpc: RpcClient;

  /** `address` as gRPC names it: `unix:///path` or `host:port`; `serverName` is that of a certificate. */
  constructor(address: string, credentials: ChannelCredentials, serverName?: string) {
    watching()?.beyond("a BuildKit daemon");
    this.rpc = new RpcClient(
      address,
      credentials,
      serverName === undefined ? {} : {
        "grpc.ssl_target_name_override": serverName,
        "grpc.default_authority": serverName,
      },
    );
  }

  /** What it can build for. @throws {ServiceError} */
  async workers(signal: AbortSignal): Promise<readonly WorkerRecord[]> {
    return (await this.rpc.unary(Control.method.listWorkers, {}, { signal })).record;
  }

  /** Offers services to the builds of this client. */
  session(served: readonly Served[], sharedKey?: string): Session {
    return new Session(this.rpc, served, sharedKey);
  }

  /** Builds, and gives what the exporters answered; without `events` in one question. @throws {ServiceError} */
  async solve(
    request: MessageInitShape<typeof SolveRequestSchema>,
    events: SolveEvents | undefined,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    const Ref = request.Ref || crypto.randomUUID().replaceAll("-", "");
    // Its last messages come after the answer: what was printed must not get lost.
    const told = events && this.#tell(Ref, events, signal).catch(() => {});
    try {
      const { ExporterResponse } = await this.rpc.unary(
        Control.method.solve,
        { ...request, Ref, Internal: true },
        { signal },
      );
      return ExporterResponse;
    } finally {
      await told;
    }
  }

  async #tell(Ref: string, events: SolveEvents, signal: AbortSignal): Promise<void> {
    await this.rpc.stream(Control.method.status, { Ref }, ({ vertexes, logs }) => {
      for (const { digest, name, cached, started, completed, error } of vertexes) {
        events.vertex?.({
          digest,
          name,
          cached,
          ...(started && { started: Number(started.seconds) + started.nanos / 1e9 }),
          ended: completed !== undefined,
          ...(error !== "" && { error }),
        });
      }
      for (const { vertex, stream, msg } of logs) {
        events.log?.({ vertex, stream: Number(stream), bytes: msg });
      }
    }, { signal });
  }

  /** Forgets what a filter names, such as cache mounts. @throws {ServiceError} */
  async prune(filter: string): Promise<void> {
    await this.rpc.stream(Control.method.prune, { filter: [filter], all: true }, () => {});
  }

  [Symbol.dispose](): void {
    this.rpc[Symbol.dispose]();
  }
}

/** What a daemon says of a failed build beside its message. */
export interface FailureFacts {
  /** Exit code of the command that failed. */
  readonly exit?: number;
  /** Names of the file systems that it left, in the order of its mounts. */
  readonly mounts?: readonly string[];
  /** The command that failed. */
  readonly exec?: ExecOp;
  /** Names of what it was given, as its mounts count them. */
  readonly inputs?: readonly string[];
  /** Line of the Dockerfile that failed, 1-based. */
  readonly line?: number;
}

const isExit = hasMembers<{ readonly Code: number }>({ Code: isCount });
const isSource = hasMembers<{ readonly ranges: readonly { readonly start: { readonly line: number } }[] }>({
  ranges: isListOf(hasMembers({ start: hasMembers({ line: isCount }) })),
});
const isSolve = hasMembers<{ readonly mountIDs: readonly string[]; readonly inputIDs?: readonly string[] }>({
  mountIDs: isListOf(isText),
  inputIDs: isOptional(isListOf(isText)),
});
const hasOp = hasMembers<{ readonly op: object }>({ op: isObject });

/** Reads the details of a failure, which are Go structures as JSON. */
export function failureFacts(error: unknown): FailureFacts {
  if (!isRpcError(error)) return {};
  const [details] = error.metadata.get("grpc-status-details-bin");
  if (!(details instanceof Uint8Array)) return {};
  const facts: { -readonly [K in keyof FailureFacts]: FailureFacts[K] } = {};
  for (const { typeUrl, value } of fromBinary(StatusSchema, details).details) {
    if (!/\.(ExitMessage|Solve|Source)\+json$/.test(typeUrl)) continue;
    const said: unknown = JSON.parse(new TextDecoder().decode(value));
    if (isExit(said)) facts.exit = said.Code;
    if (isSolve(said)) {
      facts.mounts = said.mountIDs;
      facts.inputs = said.inputIDs ?? [];
    }
    if (hasOp(said)) {
      const { op } = fromJsonString(OpSchema, JSON.stringify(said.op), { ignoreUnknownFields: true });
      if (op.case === "exec") facts.exec = op.value;
    }
    const [range] = isSource(said) ? said.ranges : [];
    if (range) facts.line = range.start.line;
  }
  return facts;
}
