import { EngineError } from "../../../core/contract/plugin.ts";
import { DockerError } from "../../../lib/docker/engine.ts";
import { type ExecStream, execStream } from "../../../lib/docker/exec_stream.ts";
import type { BuilderAddress, Environment } from "./address.ts";
import { KubectlError, kubeExec } from "./kube_exec.ts";

/** Addresses that are reached by a program beside the daemon. */
export type ExecAddress = Extract<BuilderAddress, { readonly kind: "docker-container" | "kube-pod" }>;

const PROGRAM = ["buildctl", "dial-stdio"];

/**
 * The way to a daemon in a container: a socket of this process, each connection to which is a `buildctl dial-stdio` in
 * the container. So nothing of the container need be reachable but the Docker engine, or the cluster.
 */
export class DialStdio implements AsyncDisposable {
  readonly #open = new Set<ExecStream>();
  /** Why a connection ended last, when that was no good end. */
  failure: Error | undefined;

  private constructor(readonly path: string, readonly listener: Deno.UnixListener) {}

  /** @throws BUILDER_UNAVAILABLE when the engine or the container is not there */
  static async open(address: ExecAddress, env: Environment, directory: string): Promise<DialStdio> {
    const dial = () =>
      address.kind === "kube-pod"
        ? kubeExec(address, env, PROGRAM)
        : execStream(env.DOCKER_HOST, address.container, PROGRAM);
    let first: ExecStream | undefined;
    try {
      first = await dial();
    } catch (error) {
      if (!(error instanceof DockerError || error instanceof KubectlError)) throw error;
      throw new EngineError(
        "BUILDER_UNAVAILABLE",
        `Cannot run stage commands: BuildKit at "${address.text}" is not there: ${error.message}`,
        {
          fix: error instanceof KubectlError
            ? "Install kubectl, or name the daemon by another address"
            : "Start the container, or correct BUILDKIT_HOST or `addresses` of builder-buildkit",
          cause: error,
        },
      );
    }
    const path = `${directory}/d${crypto.randomUUID().slice(0, 8)}`;
    const dialed = new DialStdio(path, Deno.listen({ transport: "unix", path }));
    dialed.#serve(async () => {
      const stream = first ?? await dial();
      first = undefined;
      return stream;
    });
    dialed.#open.add(first);
    return dialed;
  }

  async #serve(dial: () => Promise<ExecStream>): Promise<void> {
    for await (const connection of this.listener) {
      this.#join(connection, dial).catch(() => {}); // whoever asked sees the connection end
    }
  }

  async #join(connection: Deno.UnixConn, dial: () => Promise<ExecStream>): Promise<void> {
    const stream = await dial();
    this.#open.add(stream);
    const [, said] = await Promise.allSettled([
      connection.readable.pipeTo(stream.writable),
      stream.readable.pipeTo(connection.writable, { preventAbort: true }).catch((error) => {
        // Known before whoever asked sees the end.
        if (error instanceof DockerError || error instanceof KubectlError) this.failure = error;
        connection.close();
      }),
    ]);
    if (said.status === "rejected") stream.close();
    this.#open.delete(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    for (const stream of this.#open) stream.close();
    await Deno.remove(this.path).catch(() => {}); // it is in scratch, which goes as a whole
  }
}
