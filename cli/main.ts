/** From arguments to an exit code. Loads what the command needs and no more. */
import type { Engine, EngineEvent } from "../mod.ts";
import { engineOptions } from "./engine_options.ts";
import type { Io, Output } from "./io.ts";
import type { SshAgent } from "./ssh_agent.ts";
import { parseArgs } from "./parse.ts";
import { table } from "./table.ts";
import { EngineError, messageOf } from "../core/contract/errors.ts";
import type { CiLog } from "./ci/log.ts";
import { chooseRenderer, inCi, type Renderer, type RendererKind } from "./render/renderer.ts";
import { Tails } from "./render/tails.ts";
import { createStyle, wantsColor } from "./style.ts";
import type { Context, HelpWanted, Parsed } from "./command.ts";
import { writeJson } from "./format.ts";
import { brief } from "../lib/plain.ts";
import { unreachable } from "../lib/unreachable.ts";

/**
 * Runs one command line and returns its exit code: 0 done, 1 the work failed, 2 usage or configuration, 130
 * interrupted; `dimg run` passes the command's own code through. Never throws.
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const code = await run(args, io);
  const { failure } = io.stdout;
  return failure === undefined ? code : code || await reportLost(failure, args, io);
}

/** Says why an answer is not where standard output goes to, and returns the exit code for that. */
export async function reportLost(failure: string, args: readonly string[], io: Io): Promise<number> {
  const { reportError } = await import("./report.ts");
  const error = new EngineError("FILES_FAILED", `Cannot write to standard output: ${failure}`, {
    fix: "Have it go where there is room, and run it again: what was done is kept",
  });
  return await reportError(error, io, { ...guessOutput(args), failed: [], dir: "." });
}

async function run(args: readonly string[], io: Io): Promise<number> {
  let parsed: Parsed | HelpWanted;
  try {
    parsed = await parseArgs(args, table);
  } catch (error) {
    const { reportError } = await import("./report.ts");
    return await reportError(error, io, { ...guessOutput(args), failed: [], dir: "." });
  }
  if ("helpFor" in parsed) {
    const { printHelp } = await import("./commands/help.ts");
    const code = printHelp(parsed, io, table);
    if (parsed.asked) {
      const { pluginHelp } = await import("./plugin_help.ts");
      io.stdout.write(await pluginHelp(parsed, io, table));
    }
    return code;
  }
  return await runCommand(parsed, io);
}

async function runCommand(parsed: Parsed, given: Io): Promise<number> {
  const { options, command } = parsed;
  const json = options.text("json");
  const quiet = options.flag("quiet");
  const verbose = options.flag("verbose");
  const color = options.text("color") ?? "auto";
  const ci = inCi(given.env) ? await import("./ci/log.ts") : undefined;
  const log = ci?.ciLogOf(given.env);
  const io = log && ci
    ? { ...given, stdout: ci.withoutCommandsOn(given.stdout), stderr: ci.withoutCommandsOn(given.stderr) }
    : given;
  const shell = command.path === "dimg run" ||
    [...options.names()].some((name) => name.startsWith("introspect-"));
  const kind = chooseRenderer({ json, quiet, isTerminal: io.stderr.isTerminal, shell, env: io.env });
  const dir = options.text("dir") ?? ".";
  const progress = await openRenderer(kind, io, { color, verbose, log, marks: given.stderr, dir });
  const tails = new Tails();
  const summary = await openSummary(io);
  const onEvent = (said: EngineEvent) => {
    const event = said.type === "note" ? { ...said, text: brief(said.text) } : said;
    tails.event(event);
    summary?.page.event(event);
    progress.event(event);
  };
  const onAbort = () => progress.note("Stopping; press Ctrl-C again to stop now");
  io.signal.addEventListener("abort", onAbort);
  let engine: Promise<Engine> | undefined;
  let agent: SshAgent | undefined;
  const createEngine = async () => {
    const keys = options.all("ssh-key");
    if (keys.length > 0) agent = await io.startSshAgent(keys);
    const env = agent ? { ...io.env, SSH_AUTH_SOCK: agent.socket } : io.env;
    return await io.createEngine(await engineOptions(parsed, { ...io, env }, onEvent));
  };
  const context: Context = {
    ...parsed,
    table,
    io,
    quiet,
    verbose,
    progress,
    style: createStyle(wantsColor(io.stdout, color, io.env)),
    engine: () => engine ??= createEngine(),
    answer(document, lines) {
      progress.close();
      if (json !== undefined) return writeJson(io, json, "result", document);
      for (const line of lines()) io.stdout.write(`${line}\n`);
    },
  };
  let failure: string | undefined;
  try {
    try {
      return await (await command.run())(context);
    } catch (error) {
      failure = brief(messageOf(error));
      throw error;
    } finally {
      const made = await engine?.catch(() => undefined);
      await made?.[Symbol.asyncDispose]();
      await agent?.[Symbol.asyncDispose]();
      progress.close();
      await summary?.write(`dapp ${command.path}`, failure);
    }
  } catch (error) {
    const { reportError } = await import("./report.ts");
    // What a person has just read is not printed again; a group may be folded, and a shell fills the screen.
    const read = (kind === "tty" || kind === "plain") && !log?.group && !shell;
    const failed = tails.failed.filter(({ inSight }) => !read || !inSight);
    return await reportError(error, io, {
      json,
      quiet,
      verbose,
      color,
      failed,
      dir,
      log,
      marks: given.stderr,
    });
  } finally {
    io.signal.removeEventListener("abort", onAbort);
  }
}

/** The page about the job, where the CI system has one. */
async function openSummary(io: Io) {
  const path = io.env.GITHUB_STEP_SUMMARY;
  if (!path) return undefined;
  const { JobSummary } = await import("./ci/summary.ts");
  const page = new JobSummary();
  return {
    page,
    async write(title: string, failure: string | undefined) {
      const text = page.markdown(title, failure);
      // A page that cannot be written is not worth a failure of what was done.
      if (text !== "") await io.appendText(path, text).catch(() => {});
    },
  };
}

interface RenderOptions {
  readonly color: string;
  readonly verbose: boolean;
  readonly log: CiLog | undefined;
  /** What the log of a CI system is written to. */
  readonly marks: Output;
  readonly dir: string;
}

async function openRenderer(
  kind: RendererKind,
  io: Io,
  { color, verbose, log, marks, dir }: RenderOptions,
): Promise<Renderer> {
  const style = createStyle(wantsColor(io.stderr, color, io.env));
  switch (kind) {
    case "tty":
      return new (await import("./render/tty.ts"))
        .TtyRenderer(io.stderr, io.clock, { style, verbose });
    case "plain": {
      const ci = log && new (await import("./ci/output.ts")).CiOutput(log, marks, io.clock, dir);
      return new (await import("./render/plain.ts"))
        .PlainRenderer(io.stderr, io.clock, { style, verbose, ci });
    }
    case "quiet":
      return new (await import("./render/silent.ts"))
        .QuietRenderer(io.stderr, style);
    case "json":
      return new (await import("./render/silent.ts"))
        .JsonRenderer(io.stdout);
    default:
      return unreachable(kind);
  }
}

/** How to print an error about a command line that could not be parsed. */
function guessOutput(args: readonly string[]) {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const json = own.includes("--json=events") ? "events" : own.includes("--json") ? "" : undefined;
  const color = own.findLast((arg) => arg.startsWith("--color="))?.slice("--color=".length) ?? "auto";
  return { json, quiet: false, verbose: false, color };
}
