import * as z from "../../../lib/zod.ts";
import { programEnvironment } from "../../../lib/program_environment.ts";
import { askProgram } from "../../../lib/ask_program.ts";
import { type HookContext, messageOf } from "../../../core/contract/plugin.ts";
import type { KubeCluster, KubeExec } from "./schema.ts";
import { unknown } from "./unknown.ts";

/** Where credential plugins run. */
export interface ExecContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly emit: HookContext["emit"];
  /** How long one may take. @default a minute */
  readonly execMs?: number;
}

/** What a plugin gave. */
export interface ExecCredential {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

const LONGEST_MS = 60_000;
/** After this long people are told what is being waited for. */
const QUIET_MS = 3_000;

const text = z.string().nullish().transform((value) => value || undefined);
const answer = z.object({
  status: z.object({ token: text, clientCertificateData: text, clientKeyData: text }),
});

/**
 * Runs a credential plugin (client.authentication.k8s.io), which cannot ask anybody anything here.
 *
 * @throws {EngineError} PLUGIN_FAILED when it gives nothing in time
 */
export async function execCredential(
  exec: KubeExec,
  { name, cluster, ca }: {
    readonly name: string;
    readonly cluster: KubeCluster;
    readonly ca: string | undefined;
  },
  { env, signal, emit, execMs = LONGEST_MS }: ExecContext,
): Promise<ExecCredential> {
  const { command, args, apiVersion, interactiveMode, installHint } = exec;
  const fail = (why: string) => unknown(`the credential plugin "${command}" of ${name} ${why}`);
  if (interactiveMode === "Always") throw fail("wants to ask somebody, which is not possible here");
  const info = {
    apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(exec.provideClusterInfo && { cluster: clusterInfo(cluster, ca) }) },
  };
  const talk = setTimeout(
    () =>
      emit({
        type: "note",
        level: "info",
        text: `Waiting for the credential plugin "${command}" of ${name}`,
      }),
    QUIET_MS,
  );
  try {
    const output = await askProgram(command, {
      args,
      env: {
        ...programEnvironment(env),
        ...Object.fromEntries((exec.env ?? []).map((row) => [row.name, row.value])),
        KUBERNETES_EXEC_INFO: JSON.stringify(info),
      },
      longestMs: execMs,
      signal,
    });
    if (output === "late") throw fail(`gave no answer within ${execMs / 1000} seconds`);
    if (output.code !== 0) {
      throw fail(`failed: ${output.stderr.trim() || `it ended with code ${output.code}`}`);
    }
    const { token, clientCertificateData: cert, clientKeyData: key } = readAnswer(output.stdout, fail);
    return {
      ...(token !== undefined && { token }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
    throw fail(`cannot be run: ${messageOf(error)}${installHint === undefined ? "" : `. ${installHint}`}`);
  } finally {
    clearTimeout(talk);
  }
}

function readAnswer(stdout: string, fail: (why: string) => Error): z.output<typeof answer>["status"] {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    throw fail("gave an answer that is not JSON");
  }
  const parsed = answer.safeParse(value);
  if (!parsed.success) throw fail("gave an answer that is no ExecCredential with a status");
  const { status } = parsed.data;
  if (status.token === undefined && status.clientCertificateData === undefined) {
    throw fail("gave neither a token nor a certificate");
  }
  return status;
}

/** What a plugin is told of the cluster: as in the file, with what files hold. */
function clusterInfo(cluster: KubeCluster, ca: string | undefined): Readonly<Record<string, unknown>> {
  const config = cluster.extensions?.find(({ name }) => name === "client.authentication.k8s.io/exec");
  return {
    server: cluster.server,
    ...(cluster["tls-server-name"] !== undefined && { "tls-server-name": cluster["tls-server-name"] }),
    ...(cluster["insecure-skip-tls-verify"] && { "insecure-skip-tls-verify": true }),
    ...(ca !== undefined && { "certificate-authority-data": new TextEncoder().encode(ca).toBase64() }),
    ...(cluster["proxy-url"] !== undefined && { "proxy-url": cluster["proxy-url"] }),
    ...(cluster["disable-compression"] && { "disable-compression": true }),
    ...(config && { config: config.extension }),
  };
}
