/**
 * What commands without changes printed, with all that it stood on: files, variables, git, and what registries said.
 * Where all of that is as it was, the same command would print the same and do nothing else; so it does that at once, a
 * few milliseconds after Deno has started. What is remembered lies beside the memos of the store, and goes with them.
 */
import { version } from "../version.ts";
import { homeOf } from "../../lib/home.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { readSealed } from "../../lib/sealed.ts";
import { type Fact, valuesOf, type Variables } from "./facts.ts";

/** Raise it when the meaning of what is kept changes. */
const FORMAT = 2;

/**
 * Registries that are slower than this are asked by the whole program, which is patient and says what it waits for. What
 * took longer is not remembered, so that they are not asked twice by every command.
 */
export const PATIENCE_MS = 1000;

/** What a registry said, and what is known of it. */
export interface Asked {
  readonly domain: string;
  /** As `lib/registry/host_memory.ts` remembers it. */
  readonly host: unknown;
  readonly found: readonly (readonly [path: string, reference: string, digest: string])[];
}

/** An answer as it is kept, sealed. */
export interface Answer {
  readonly program: string;
  readonly facts: readonly Fact[];
  /** Variables, "*" for the names of all, and SHA-256 of what they are. */
  readonly names: readonly string[];
  readonly values: string;
  /** The directory that git was asked about, as it was written, and what it said. */
  readonly git?: { readonly dir: string; readonly status: string };
  readonly registries: readonly Asked[];
  /** What was written to standard output (1) and standard error (2), in order. */
  readonly output: readonly (readonly [stream: 1 | 2, text: string])[];
}

const COMMANDS = ["build", "bp", "push", "spush"];

/** Options of commands whose answer is never the same, that name what is not kept, or that ask for all that there is to see. */
const OWN_WAY =
  /^--(json|registry|insecure|introspect|untrusted|dev|secret|ssh-key|verbose|help)|^-(h$|[^-]*v)/;

/** Whether the answer to a command line may be remembered at all. */
export function isRepeatable(args: readonly string[]): boolean {
  return args[0] === "dimg" && COMMANDS.includes(args[1] ?? "") && !args.some((arg) => OWN_WAY.test(arg)) &&
    !Deno.stdout.isTerminal() && !Deno.stderr.isTerminal();
}

/** What answers, where, and for whom. */
export function programNow(): string {
  const stdin = Deno.stdin.isTerminal();
  return [FORMAT, version, Deno.version.deno, Deno.build.target, Deno.uid(), stdin, Deno.mainModule].join(
    " ",
  );
}

/** Where the answer to a command line given here is kept; undefined where no store is. */
export async function answerPath(args: readonly string[], env: Variables): Promise<string | undefined> {
  const at = args.findLastIndex((arg) => arg === "--home" || arg.startsWith("--home="));
  const home = at < 0 ? homeOf(env) : args[at]!.startsWith("--home=") ? args[at]!.slice(7) : args[at + 1];
  if (!home) return undefined;
  const cwd = Deno.cwd();
  const name = await sha256Hex(JSON.stringify([cwd, args]));
  return `${home.startsWith("/") ? home : `${cwd}/${home}`}/memo/answers/${name}`;
}

/** What is kept at a path of this program, when the variables are those of then. */
export async function readAnswer(path: string, env: Variables): Promise<Answer | undefined> {
  const text = await readSealed(path);
  if (text === undefined) return undefined;
  const answer: Answer = JSON.parse(text);
  if (answer.program !== programNow()) return undefined;
  return answer.values === await sha256Hex(valuesOf(answer.names, env)) ? answer : undefined;
}
