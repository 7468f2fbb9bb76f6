import { programEnvironment } from "../../../lib/program_environment.ts";
import type { ExecStream } from "../../../lib/docker/exec_stream.ts";
import type { BuilderAddress, Environment } from "./address.ts";

type KubePod = Extract<BuilderAddress, { readonly kind: "kube-pod" }>;

/** A program in a pod did not do what was asked. The message is meant for people. */
export class KubectlError extends Error {
  override readonly name = "KubectlError";
}

/**
 * Starts a program in a pod with `kubectl exec --stdin`, which uses the kubeconfig that kubectl uses. What it says on
 * stderr is the reason when it fails.
 *
 * @throws {KubectlError} when there is no kubectl
 */
export function kubeExec(pod: KubePod, env: Environment, command: readonly string[]): Promise<ExecStream> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("kubectl", {
      args: kubectlArguments(pod, command),
      env: programEnvironment(env),
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return Promise.reject(new KubectlError("there is no kubectl in PATH", { cause: error }));
  }
  const said = new Response(child.stderr).text();
  return Promise.resolve({
    readable: ReadableStream.from(output(child, said)),
    writable: child.stdin,
    close() {
      try {
        child.kill();
      } catch {
        // it has ended
      }
    },
  });
}

/** `kubectl [--context C] [--namespace N] exec --stdin POD [--container C] -- COMMAND...` */
function kubectlArguments({ pod, namespace, container, context }: KubePod, command: readonly string[]) {
  return [
    ...(context === undefined ? [] : ["--context", context]),
    ...(namespace === undefined ? [] : ["--namespace", namespace]),
    ...["exec", "--stdin", pod],
    ...(container === undefined ? [] : ["--container", container]),
    "--",
    ...command,
  ];
}

async function* output(child: Deno.ChildProcess, said: Promise<string>): AsyncGenerator<Uint8Array> {
  yield* child.stdout;
  const { success, code } = await child.status;
  if (success) return;
  const text = (await said).trim();
  throw new KubectlError(text === "" ? `kubectl ended with exit status ${code}` : `kubectl said: ${text}`);
}
