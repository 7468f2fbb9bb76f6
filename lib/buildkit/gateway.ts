import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ExecMessage,
  ExecMessageSchema,
  type ExitMessage,
  LLBBridge,
  type NewContainerRequestSchema,
  type Result,
} from "./gen/github.com/moby/buildkit/frontend/gateway/pb/gateway_pb.ts";
import type { Definition } from "./gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import type { BuildkitClient } from "./client.ts";

/** A process in a container of a build. */
export interface GatewayProcess {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly tty: boolean;
  /** Bytes for its standard input. */
  readonly stdin: ReadableStream<Uint8Array>;
  output(fd: number, bytes: Uint8Array): void;
  /** Called with a function that tells it the size of its terminal. */
  onStart?(resize: (size: { readonly rows: number; readonly columns: number }) => void): void;
}

/** What a result is made of: operations, or a front end with what it is told. */
export type Wanted =
  | { readonly definition: Definition }
  | { readonly frontend: string; readonly attrs: Record<string, string> };

/** A process that could not be started. */
export class ContainerError extends Error {
  override readonly name = "ContainerError";
}

/** A build that its client leads: it asks for one result after another, looks into them, and says which one is it. */
export class Gateway {
  readonly #headers: { readonly "buildkit-controlapi-buildid": string };

  /** `ref`: the build, a solve without a definition. */
  constructor(readonly client: BuildkitClient, ref: string) {
    this.#headers = { "buildkit-controlapi-buildid": ref };
  }

  /** Waits until the daemon knows the build. @throws {ServiceError} */
  async ready(signal: AbortSignal): Promise<void> {
    await this.client.rpc.unary(LLBBridge.method.ping, {}, { headers: this.#headers, signal });
  }

  /** A result, once it is made. @throws {ServiceError} */
  async solve(wanted: Wanted, signal: AbortSignal): Promise<Result | undefined> {
    const { result } = await this.client.rpc.unary(LLBBridge.method.solve, {
      ...("definition" in wanted
        ? { Definition: wanted.definition }
        : { Frontend: wanted.frontend, FrontendOpt: wanted.attrs }),
      allowResultReturn: true,
      allowResultArrayRef: true,
      Evaluate: true,
    }, { headers: this.#headers, signal });
    return result;
  }

  /** Ends the build with this result. @throws {ServiceError} */
  async finish(result: Result | undefined): Promise<void> {
    await this.client.rpc.unary(LLBBridge.method.return, result ? { result } : {}, {
      headers: this.#headers,
    });
  }

  /** Runs a process in a container of its own, and gives its exit code. @throws {ServiceError} */
  async run(
    container: Omit<MessageInitShape<typeof NewContainerRequestSchema>, "ContainerID" | "$typeName">,
    process: GatewayProcess,
    signal: AbortSignal,
  ): Promise<number> {
    const ContainerID = crypto.randomUUID().replaceAll("-", "");
    const settings = { headers: this.#headers, signal };
    await this.client.rpc.unary(LLBBridge.method.newContainer, { ...container, ContainerID }, settings);
    try {
      return await this.#exec(ContainerID, process, signal);
    } finally {
      await this.client.rpc.unary(LLBBridge.method.releaseContainer, { ContainerID }, {
        headers: this.#headers,
      })
        .catch(() => {}); // it goes with the build
    }
  }

  async #exec(ContainerID: string, process: GatewayProcess, signal: AbortSignal): Promise<number> {
    const call = this.client.rpc.duplex(LLBBridge.method.execProcess, this.#headers);
    const ProcessID = crypto.randomUUID().replaceAll("-", "");
    const send = (Input: Part) => call.write(create(ExecMessageSchema, { ProcessID, Input }));
    const stop = () => call.cancel();
    signal.addEventListener("abort", stop);
    const input = process.stdin.getReader();
    const done = Promise.withResolvers<number>();
    let code = 0;
    let refusal: string | undefined;
    call.on("error", done.reject);
    call.on("end", () => done.resolve(code));
    call.on("data", ({ Input }: ExecMessage) => {
      switch (Input.case) {
        case "Started":
          process.onStart?.(({ rows, columns }) =>
            send({ case: "Resize", value: { Rows: rows, Cols: columns } })
          );
          feed(input, send).catch(() => {}); // it has ended, or does not read
          break;
        case "File":
          if (Input.value.Data.length > 0) process.output(Input.value.Fd, Input.value.Data);
          break;
        case "Exit":
          code = Input.value.Code;
          refusal = refusalOf(Input.value);
          break;
        case "Done":
          if (refusal === undefined) done.resolve(code);
          else done.reject(new ContainerError(refusal));
      }
    });
    const { args, env, cwd, user, tty } = process;
    const Meta = { args: [...args], env: [...env], cwd, user };
    send({ case: "Init", value: { ContainerID, Meta, Fds: [0, 1, 2], Tty: tty } });
    try {
      return await done.promise;
    } finally {
      signal.removeEventListener("abort", stop);
      call.end();
      await input.cancel().catch(() => {});
    }
  }
}

/** The name of a result's file system, for mounts of containers. */
export function nameOf(result: Result | undefined): string {
  return result?.result.case === "ref" ? result.result.value.id : "";
}

/** Why a process did not run; undefined when it did, however it ended. */
function refusalOf({ Error: error }: ExitMessage): string | undefined {
  return error === undefined || /exit code: \d+$/.test(error.message) ? undefined : error.message;
}

/** What a message of an exec says. */
type Part = NonNullable<MessageInitShape<typeof ExecMessageSchema>["Input"]>;

async function feed(
  input: ReadableStreamDefaultReader<Uint8Array>,
  send: (part: Part) => unknown,
): Promise<void> {
  for (let next; !(next = await input.read()).done;) {
    send({ case: "File", value: { Fd: 0, Data: next.value } });
  }
  send({ case: "File", value: { Fd: 0, EOF: true } });
}
