/** Deno's own commands, asked about modules. They run nothing of a plugin. */
import { denoEnvironment } from "../../../lib/own_process.ts";
import { programEnvironment } from "../../../lib/program_environment.ts";
import type { Host } from "../../contract/plugin.ts";
import { stripAnsiCode } from "@std/fmt/colors";
import { EngineError } from "../../contract/errors.ts";
import { hasMembers, isListOf, isOptional, isText } from "../../../lib/guard.ts";
import { plain } from "../../../lib/plain.ts";
import { dappAs } from "./own_modules.ts";

/** One module of a graph. */
export interface GraphModule {
  readonly specifier: string;
  /** Where it lies on this machine. */
  readonly local?: string;
  /** Why it could not be looked at. */
  readonly error?: string;
}

const isGraph = hasMembers<{ readonly modules: readonly GraphModule[] }>({
  modules: isListOf(
    hasMembers<GraphModule>({ specifier: isText, local: isOptional(isText), error: isOptional(isText) }),
  ),
});

/** Everything that a module of this machine loads, as far as that stands in its text. Nothing is fetched. */
export async function graphOf(url: string, call: DenoCall): Promise<readonly GraphModule[]> {
  const flags = ["--json", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--node-modules-dir=none"];
  const { code, stdout, stderr } = await deno(["info", ...flags, url], call);
  const graph: unknown = code === 0 ? JSON.parse(stdout) : undefined;
  if (isGraph(graph)) return graph.modules;
  throw new EngineError("PLUGIN_NOT_FOUND", `Cannot look at what "${url}" loads: ${lastWords(stderr)}`);
}

/** How Deno is asked. */
interface DenoCall {
  readonly env: Host["env"];
  readonly signal: AbortSignal;
}

/** What Deno's lock file holds before anything is known. */
const EMPTY = { version: "5" };

/**
 * Fetches what a module loads, unless it is here, and compares it with what is known of it.
 *
 * @returns what Deno's lock file knows of it now
 */
export async function fetchModules(
  url: string,
  known: Readonly<Record<string, unknown>> | undefined,
  call: DenoCall,
): Promise<Readonly<Record<string, unknown>>> {
  const dir = await Deno.makeTempDir({ prefix: "dapp-plugin-" });
  try {
    const [config, lock] = [`${dir}/deno.json`, `${dir}/deno.lock`];
    await Deno.writeTextFile(`${dir}/dapp.js`, "");
    await Deno.writeTextFile(config, JSON.stringify(await dappAs("./dapp.js")));
    await Deno.writeTextFile(lock, JSON.stringify(known ?? EMPTY));
    const flags = [
      "--quiet",
      "--node-modules-dir=none",
      `--config=${config}`,
      `--lock=${lock}`,
      ...(known ? ["--frozen"] : ["--frozen=false", "--reload"]),
      "--allow-import",
    ];
    const { code, stderr } = await deno(["cache", ...flags, url], call);
    if (code !== 0) throw new DenoFailure(stderr);
    return JSON.parse(await Deno.readTextFile(lock));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What Deno said when it could not load something. */
export class DenoFailure extends Error {
  override readonly name = "DenoFailure";
  /** What was expected and what was found, where that is why. */
  readonly mismatch: Mismatch | undefined;
  constructor(printed: string) {
    super(lastWords(printed));
    this.mismatch = mismatchIn(printed);
  }
}

/** Something is not what it was. */
export interface Mismatch {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** What Deno says of a module or package that is not what its lock file says. */
export function mismatchIn(printed: string): Mismatch | undefined {
  const text = stripAnsiCode(printed);
  const value = (name: string) => new RegExp(`^\\s*${name}:\\s*(.+)$`, "m").exec(text)?.[1]?.trim();
  const [found, expected] = [value("Actual"), value("Expected")];
  if (found === undefined || expected === undefined) return undefined;
  const what = value("Specifier") ?? value("Package") ?? /registry for (\S+?)\.?$/m.exec(text)?.[1] ??
    "a module";
  return { what, expected, found };
}

/** The first line of an error that Deno printed. */
export function lastWords(printed: string): string {
  const text = stripAnsiCode(printed).trim();
  const [, error] = /^error: (.+)$/m.exec(text) ?? [];
  return plain(error ?? (text.split("\n").at(-1) || "it said nothing"));
}

async function deno(args: readonly string[], { env, signal }: DenoCall) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    // A package.json around the plugin is for its author's tools.
    clearEnv: true,
    env: { ...programEnvironment(env), ...denoEnvironment(), DENO_NO_PACKAGE_JSON: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).output();
  signal.throwIfAborted();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
