/** From arguments to an exit code. Loads what the command needs and no more. */
import { load } from "../lib/load.ts";
import type { Engine, EngineEvent } from "../mod.ts";
import { type CommandRun, type Context, engineOptions } from "./context.ts";
import type { Io } from "./io.ts";
import { parseArgs } from "./parse.ts";
import type { HelpWanted, Parsed } from "./parsed.ts";
import { chooseRenderer, type Renderer, type RendererKind } from "./render/renderer.ts";
import { Tails } from "./render/tails.ts";
import { createStyle, wantsColor } from "./style.ts";
import type { CommandPath } from "./table.ts";

/** Where each command's code is. */
const loaders: Readonly<Record<CommandPath, () => Promise<CommandRun>>> = {
  "dimg build": async () =>
    (await load<typeof import("./commands/build.ts")>("./commands/build.ts", import.meta.url)).build,
  "dimg plan": async () =>
    (await load<typeof import("./commands/plan.ts")>("./commands/plan.ts", import.meta.url)).plan,
  "dimg explain": async () =>
    (await load<typeof import("./commands/explain.ts")>("./commands/explain.ts", import.meta.url)).explain,
  "dimg list": async () =>
    (await load<typeof import("./commands/list.ts")>("./commands/list.ts", import.meta.url)).list,
  "dimg stage image": async () =>
    (await load<typeof import("./commands/list.ts")>("./commands/list.ts", import.meta.url)).stageImage,
  "dimg run": async () =>
    (await load<typeof import("./commands/run.ts")>("./commands/run.ts", import.meta.url)).run,
  "dimg export": async () =>
    (await load<typeof import("./commands/export.ts")>("./commands/export.ts", import.meta.url)).exportImages,
  "dimg lock": async () =>
    (await load<typeof import("./commands/lock.ts")>("./commands/lock.ts", import.meta.url)).lock,
  "dimg push": async () =>
    (await load<typeof import("./commands/publish.ts")>("./commands/publish.ts", import.meta.url)).push,
  "dimg spush": async () =>
    (await load<typeof import("./commands/publish.ts")>("./commands/publish.ts", import.meta.url)).spush,
  "dimg bp": async () =>
    (await load<typeof import("./commands/publish.ts")>("./commands/publish.ts", import.meta.url)).bp,
  "dimg tag": async () =>
    (await load<typeof import("./commands/publish.ts")>("./commands/publish.ts", import.meta.url)).tag,
  "dimg tags": async () =>
    (await load<typeof import("./commands/tags.ts")>("./commands/tags.ts", import.meta.url)).tags,
  "dimg stages push": async () =>
    (await load<typeof import("./commands/stages.ts")>("./commands/stages.ts", import.meta.url)).stagesPush,
  "dimg stages pull": async () =>
    (await load<typeof import("./commands/stages.ts")>("./commands/stages.ts", import.meta.url)).stagesPull,
  "dimg cleanup": async () =>
    (await load<typeof import("./commands/cleanup_local.ts")>("./commands/cleanup_local.ts", import.meta.url))
      .cleanupLocal,
  "dimg cleanup repo": async () =>
    (await load<typeof import("./commands/cleanup.ts")>("./commands/cleanup.ts", import.meta.url))
      .cleanupRepo,
  "dimg flush local": async () =>
    (await load<typeof import("./commands/cleanup_local.ts")>("./commands/cleanup_local.ts", import.meta.url))
      .flushLocal,
  "dimg flush repo": async () =>
    (await load<typeof import("./commands/cleanup.ts")>("./commands/cleanup.ts", import.meta.url)).flushRepo,
  "dimg stages cleanup local": async () =>
    (await load<typeof import("./commands/cleanup_local.ts")>("./commands/cleanup_local.ts", import.meta.url))
      .stagesCleanupLocal,
  "dimg stages cleanup repo": async () =>
    (await load<typeof import("./commands/cleanup.ts")>("./commands/cleanup.ts", import.meta.url))
      .stagesCleanupRepo,
  "dimg stages flush local": async () =>
    (await load<typeof import("./commands/cleanup_local.ts")>("./commands/cleanup_local.ts", import.meta.url))
      .stagesFlushLocal,
  "dimg stages flush repo": async () =>
    (await load<typeof import("./commands/cleanup.ts")>("./commands/cleanup.ts", import.meta.url))
      .stagesFlushRepo,
  "dimg mrproper": async () =>
    (await load<typeof import("./commands/cleanup_local.ts")>("./commands/cleanup_local.ts", import.meta.url))
      .mrproper,
  "dimg restore": async () =>
    (await load<typeof import("./commands/restore.ts")>("./commands/restore.ts", import.meta.url)).restore,
  "config check": async () =>
    (await load<typeof import("./commands/config.ts")>("./commands/config.ts", import.meta.url)).configCheck,
  "config schema": async () =>
    (await load<typeof import("./commands/config.ts")>("./commands/config.ts", import.meta.url)).configSchema,
  "store check": async () =>
    (await load<typeof import("./commands/store.ts")>("./commands/store.ts", import.meta.url)).storeCheck,
  "registry check": async () =>
    (await load<typeof import("./commands/registry.ts")>("./commands/registry.ts", import.meta.url))
      .registryCheck,
  "slug": async () =>
    (await load<typeof import("./commands/slug.ts")>("./commands/slug.ts", import.meta.url)).slug,
  "completion": async () =>
    (await load<typeof import("./commands/completion.ts")>("./commands/completion.ts", import.meta.url))
      .completion,
  "help": async () =>
    (await load<typeof import("./commands/help.ts")>("./commands/help.ts", import.meta.url)).help,
  "version": async () =>
    (await load<typeof import("./commands/version.ts")>("./commands/version.ts", import.meta.url)).version,
};

/**
 * Runs one command line and returns its exit code: 0 done, 1 the work failed, 2 usage or configuration, 130
 * interrupted; `dimg run` passes the command's own code through. Never throws.
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  let parsed: Parsed | HelpWanted;
  try {
    parsed = await parseArgs(args);
  } catch (error) {
    const { reportError } = await load<typeof import("./report.ts")>("./report.ts", import.meta.url);
    return await reportError(error, io, { ...guessOutput(args), failed: [], dir: "." });
  }
  if ("helpFor" in parsed) {
    const { printHelp } = await load<typeof import("./commands/help.ts")>(
      "./commands/help.ts",
      import.meta.url,
    );
    return printHelp(parsed, io);
  }
  return await runCommand(parsed, io);
}

async function runCommand(parsed: Parsed, io: Io): Promise<number> {
  const { options, command } = parsed;
  const json = options.text("json");
  const quiet = options.flag("quiet");
  const verbose = options.flag("verbose");
  const color = options.text("color") ?? "auto";
  const kind = chooseRenderer({
    json,
    quiet,
    isTerminal: io.stderr.isTerminal,
    shell: command.path === "dimg run" || [...options.names()].some((name) => name.startsWith("introspect-")),
    env: io.env,
  });
  const progress = await openRenderer(kind, io, { color, verbose });
  const tails = new Tails();
  const onEvent = (event: EngineEvent) => {
    tails.event(event);
    progress.event(event);
  };
  const onAbort = () => progress.note("Stopping; press Ctrl-C again to stop now");
  io.signal.addEventListener("abort", onAbort);
  let engine: Promise<Engine> | undefined;
  const context: Context = {
    ...parsed,
    io,
    quiet,
    verbose,
    progress,
    style: createStyle(wantsColor(io.stdout, color, io.env)),
    engine: () => engine ??= engineOptions(parsed, io, onEvent).then((options) => io.createEngine(options)),
    answer(document, lines) {
      progress.close();
      if (json !== undefined) return writeJson(io, json, "result", document);
      for (const line of lines()) io.stdout.write(`${line}\n`);
    },
  };
  try {
    try {
      return await (await loaders[command.path]())(context);
    } finally {
      const made = await engine?.catch(() => undefined);
      await made?.[Symbol.asyncDispose]();
      progress.close();
    }
  } catch (error) {
    const { reportError } = await load<typeof import("./report.ts")>("./report.ts", import.meta.url);
    const { failed } = tails;
    return await reportError(error, io, {
      json,
      quiet,
      verbose,
      color,
      failed,
      dir: options.text("dir") ?? ".",
    });
  } finally {
    io.signal.removeEventListener("abort", onAbort);
  }
}

async function openRenderer(
  kind: RendererKind,
  io: Io,
  { color, verbose }: { readonly color: string; readonly verbose: boolean },
): Promise<Renderer> {
  const style = createStyle(wantsColor(io.stderr, color, io.env));
  switch (kind) {
    case "tty":
      return new (await load<typeof import("./render/tty.ts")>("./render/tty.ts", import.meta.url))
        .TtyRenderer(io.stderr, io.clock, { style, verbose });
    case "plain":
      return new (await load<typeof import("./render/plain.ts")>("./render/plain.ts", import.meta.url))
        .PlainRenderer(io.stderr, io.clock, { style, verbose });
    case "quiet":
      return new (await load<typeof import("./render/silent.ts")>("./render/silent.ts", import.meta.url))
        .QuietRenderer();
    case "json":
      return new (await load<typeof import("./render/silent.ts")>("./render/silent.ts", import.meta.url))
        .JsonRenderer(io.stdout);
  }
}

/** Writes the document whole, or as the last line of a stream of events. */
export function writeJson(io: Io, mode: string, type: "result" | "error", document: object): void {
  const text = mode === "events"
    ? JSON.stringify({ type, version: 1, ...document })
    : JSON.stringify({ version: 1, ...document }, undefined, 2);
  io.stdout.write(`${text}\n`);
}

/** How to print an error about a command line that could not be parsed. */
function guessOutput(args: readonly string[]) {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const json = own.includes("--json=events") ? "events" : own.includes("--json") ? "" : undefined;
  const color = own.findLast((arg) => arg.startsWith("--color="))?.slice("--color=".length) ?? "auto";
  return { json, quiet: false, verbose: false, color };
}
