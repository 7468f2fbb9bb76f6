import { whyFailed } from "../file_failure.ts";
import { programEnvironment } from "../program_environment.ts";
import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";
import type { Credentials } from "./docker_config.ts";

const ABSENT = [
  "credentials not found in native keychain",
  "no credentials server URL",
  "no credentials username",
];

/**
 * Asks `docker-credential-<name> get` for a server (protocol of github.com/docker/docker-credential-helpers).
 * Undefined when the helper knows nothing.
 *
 * @throws {RegistryError} when the helper is not installed or fails; its output is not quoted, as it may hold secrets
 */
export async function runHelper(name: string, server: string, env: Env): Promise<Credentials | undefined> {
  const binary = `docker-credential-${name}`;
  const fail = (why: string, cause?: unknown) =>
    new RegistryError(`Cannot get credentials for "${server}" from "${binary}": ${why}`, {
      kind: "denied",
      fix: cause instanceof Deno.errors.NotFound
        ? `Install "${binary}", or remove it from the Docker configuration`
        : `Run it as dapp does: echo ${server} | ${binary} get`,
      cause,
    });
  if (!/^[\w.-]+$/.test(name)) throw fail("it is no program name");
  let output: Deno.CommandOutput;
  try {
    const command = new Deno.Command(binary, {
      args: ["get"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      clearEnv: true,
      env: programEnvironment(env),
    });
    const child = command.spawn();
    const [result] = await Promise.all([child.output(), feed(child, server)]);
    output = result;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fail(`it cannot be run: ${whyFailed(error)}`, error);
    throw fail("it is not installed", error);
  }
  const text = new TextDecoder().decode(output.stdout).trim();
  if (!output.success) {
    if (ABSENT.some((line) => text.includes(line))) return undefined;
    throw fail(`it ended with exit code ${output.code}`);
  }
  try {
    const { Username: username, Secret: secret } = JSON.parse(text) as {
      Username?: unknown;
      Secret?: unknown;
    };
    if (typeof username !== "string" || typeof secret !== "string" || secret === "") return undefined;
    return username === "<token>"
      ? { kind: "identity", username: "", token: secret }
      : { kind: "basic", username, password: secret };
  } catch {
    throw fail("its answer is not JSON");
  }
}

/** A helper may answer without reading its input. */
async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text + "\n"));
    await writer.close();
  } catch {
    // it has closed its input
  }
}
