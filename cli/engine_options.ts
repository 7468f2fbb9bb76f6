/** What every command gets. */
import type { EngineOptions, RegistryOptions } from "../mod.ts";
import type { Io } from "./io.ts";
import { parseCompression } from "./scan.ts";
import type { GivenOptions, Parsed } from "./command.ts";
import { usage } from "./usage.ts";
import { printable } from "./format.ts";
import { inCi } from "./render/renderer.ts";

/** `{ key: value }`, or nothing without value. */
function given<K extends string, const V>(key: K, value: V | undefined): { readonly [N in K]?: V } {
  return value === undefined ? {} : { [key]: value } as { readonly [N in K]: V };
}

/**
 * Engine options from the options given; absent ones are left to the engine. Reads standard input when a password is
 * there, and asks for one that is missing at a terminal.
 *
 * @throws USAGE when there is none
 */
export async function engineOptions(
  { options, command }: Pick<Parsed, "options" | "command">,
  io: Pick<Io, "signal" | "gitAsked"> & Terminal,
  onEvent: NonNullable<EngineOptions["onEvent"]>,
): Promise<EngineOptions> {
  const number = (text: string | undefined, factor = 1) =>
    text === undefined ? undefined : Number(text) * factor;
  const network = options.text("network");
  const compression = options.text("compression");
  return {
    env: io.env,
    signal: io.signal,
    onEvent,
    ...given("dir", options.text("dir")),
    ...io.gitAsked(options.text("dir") ?? "."),
    ...given("config", options.text("config")),
    ...given("home", options.text("home")),
    ...given("name", options.text("name")),
    ...given("platform", list(options.all("platform"))?.join(",")),
    ...given("parallel", number(options.text("parallel"))),
    ...given(
      "network",
      network === "host" || network === "none" || network === "private" ? network : undefined,
    ),
    ...given("builder", options.text("builder")),
    ...given("lockTimeoutMs", number(options.text("lock-timeout"), 1000)),
    ...given("compression", compression === undefined ? undefined : parseCompression(compression)),
    ...(options.flag("dev") && { dev: true }),
    ...((options.flag("dry-run") || options.flag("list")) && { dryRun: true }),
    ...(options.flag("untrusted") && { untrusted: true }),
    ...given("repo", options.text("repo")),
    ...(options.flag("repo-read-only") && { repoReadOnly: true }),
    ...given("secrets", await parsedSecrets(options.all("secret"), command.path)),
    ...given("cacheFrom", list(options.all("cache-from"))),
    ...given("registry", registryOptions(options, await login({ options, command }, io))),
  };
}

async function parsedSecrets(values: readonly string[], path: string): Promise<EngineOptions["secrets"]> {
  if (values.length === 0) return undefined;
  const { parseSecrets } = await import("./secrets.ts");
  return parseSecrets(values, path);
}

/** What tells whether somebody can be asked, and asks. */
type Terminal = Pick<Io, "env" | "readStdin" | "askSecret" | "stdinIsTerminal" | "stdout" | "stderr">;

type Login = Pick<RegistryOptions, "username" | "password">;

/** User and password of the options; without them, those that the old tool took from the environment for cleanups. */
async function login(
  { options, command }: Pick<Parsed, "options" | "command">,
  io: Terminal,
): Promise<Login> {
  const username = options.text("registry-username");
  const cleanup = io.env.DAPP_DIMG_CLEANUP_REGISTRY_PASSWORD;
  if (username === undefined && cleanup && command.path === "dimg cleanup repo") {
    return { username: "dapp-cleanup-repo", password: cleanup };
  }
  return {
    ...given("username", username),
    ...given("password", await password({ options, command }, io)),
  };
}

function registryOptions(options: GivenOptions, login: Login): RegistryOptions | undefined {
  const naming = options.text("naming");
  const registry: RegistryOptions = {
    ...given("kind", options.text("registry-kind")),
    ...login,
    ...given("insecure", list(options.all("insecure-registry"))),
    ...given("naming", naming === "nested" || naming === "flat" ? naming : undefined),
  };
  return Object.keys(registry).length > 0 ? registry : undefined;
}

async function password(
  { options, command: { path } }: Pick<Parsed, "options" | "command">,
  io: Terminal,
): Promise<string | undefined> {
  const username = options.text("registry-username");
  if (options.flag("registry-password-stdin")) {
    const secret = (await io.readStdin()).replace(/\r?\n$/, "");
    if (secret !== "") return secret;
    throw usage('Cannot use option "--registry-password-stdin": standard input holds no password', path);
  }
  const written = options.text("registry-password");
  if (written !== undefined || username === undefined) return written;
  const somebody = io.stdinIsTerminal && io.stdout.isTerminal && io.stderr.isTerminal && !inCi(io.env);
  const typed = somebody ? await io.askSecret(`Password of "${printable(username)}" at the registry:`) : "";
  if (typed) return typed;
  const advice = "give --registry-password-stdin or --registry-password as well";
  throw usage(`Cannot use option "--registry-username" without a password: ${advice}`, path);
}

/** The values of an option that may be repeated; undefined when it was not given. */
function list(values: readonly string[]): readonly string[] | undefined {
  return values.length > 0 ? values : undefined;
}
