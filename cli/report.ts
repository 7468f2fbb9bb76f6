/** Printing what went wrong: the failed stage's last output, the error, its problems, and the fix last. */
import { EngineError, type ErrorCode, explained, messageOf, type Problem } from "../core/contract/errors.ts";
import { whyFailed, wrongFile } from "../lib/file_failure.ts";
import { brief } from "../lib/plain.ts";
import { missingPermission } from "../lib/missing_permission.ts";
import type { CiLog } from "./ci/log.ts";
import { printable, printableLines, writeJson } from "./format.ts";
import type { Io, Output } from "./io.ts";
import { LineBuffer } from "./render/output_lines.ts";
import { type FailedStage, TAIL_LINES } from "./render/tails.ts";
import { createStyle, type Style, wantsColor } from "./style.ts";

export interface ReportOptions {
  /** Value of --json; undefined when it was not given. */
  readonly json: string | undefined;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: string;
  readonly failed: readonly FailedStage[];
  /** Where the files of problems are. */
  readonly dir: string;
  /** The log of a CI system that marks places, and where it is written. */
  readonly log?: CiLog | undefined;
  readonly marks?: Output;
}

const BUG = "this is a bug in dapp, please report it";

/** Prints anything thrown and returns the exit code that belongs to it. */
export async function reportError(thrown: unknown, io: Io, options: ReportOptions): Promise<number> {
  const error = io.signal.aborted && !(thrown instanceof EngineError && thrown.code === "INTERRUPTED")
    ? new EngineError("INTERRUPTED", "Interrupted")
    : shortened(withoutPermission(thrown) ?? explained(thrown));
  const style = createStyle(wantsColor(io.stderr, options.color, io.env));
  if (options.json !== undefined) writeJson(io, options.json, "error", { error: errorDocument(error) });
  if (options.json === undefined || !options.quiet) {
    const interrupted = io.signal.aborted;
    const lines = [
      ...(interrupted ? [] : options.failed.flatMap((stage) => tailLines(stage, style))),
      ...(error instanceof EngineError
        ? await engineErrorLines(error, io, options, style)
        : bugLines(error, style)),
    ];
    io.stderr.write(lines.map((line) => `${line}\n`).join(""));
    if (options.json === undefined && options.log?.annotate && !interrupted) {
      const { annotationsOf } = await import("./ci/annotations.ts");
      for (const each of annotationsOf(error, options.dir)) {
        (options.marks ?? io.stderr).write(`${options.log.annotate(each)}\n`);
      }
    }
  }
  return error instanceof EngineError ? error.exitCode : 1;
}

function withoutPermission(thrown: unknown): EngineError | undefined {
  const missing = missingPermission(thrown);
  return missing &&
    new EngineError("PERMISSION_MISSING", missing.message, { fix: missing.fix, cause: thrown });
}

/** The error without the greater part of values that are very long. */
function shortened(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  const { code, message, fix, details } = error;
  const { at, problems } = details;
  return new EngineError(code, brief(message), {
    ...details,
    fix: brief(fix),
    ...(at !== undefined && { at: brief(at) }),
    ...(problems && {
      problems: problems.map((problem) => ({
        ...problem,
        message: brief(problem.message),
        ...(problem.path !== undefined && { path: brief(problem.path) }),
        ...(problem.hint !== undefined && { hint: brief(problem.hint) }),
      })),
    }),
  });
}

interface ErrorDocument {
  readonly code: ErrorCode | "BUG";
  readonly message: string;
  readonly fix: string;
  /** File and line, when they are known. */
  readonly at?: string;
  /** The plugin that failed. */
  readonly plugin?: string;
  readonly problems: readonly Problem[];
}

function errorDocument(error: unknown): ErrorDocument {
  if (!(error instanceof EngineError)) {
    return { code: "BUG", message: messageOf(error), fix: BUG, problems: [] };
  }
  const { at, plugin, problems = [] } = error.details;
  return {
    code: error.code,
    message: error.message,
    fix: error.fix,
    ...(at !== undefined && { at }),
    ...(plugin !== undefined && { plugin }),
    problems,
  };
}

function tailLines({ title, output }: FailedStage, style: Style): string[] {
  const buffer = new LineBuffer(style.enabled);
  const lines = [...buffer.add(output), buffer.end()].filter((line) => line !== undefined).slice(-TAIL_LINES);
  if (lines.length === 0) return [];
  return ["", style.bold(`The last output of ${title}:`), ...lines.map((line) => `  ${line}`)];
}

function bugLines(error: unknown, style: Style): string[] {
  const lines = [`${style.red("error:")} ${printableLines(brief(messageOf(error)))}`];
  if (error instanceof Error && error.stack) {
    const frames = error.stack.split("\n").filter((line) => /^\s+at /.test(line));
    lines.push(`  ${error.name}`, ...frames);
    if (error.cause !== undefined) lines.push(`  caused by: ${printableLines(messageOf(error.cause))}`);
  }
  lines.push("", BUG);
  return lines;
}

async function engineErrorLines(
  error: EngineError,
  io: Io,
  options: ReportOptions,
  style: Style,
): Promise<string[]> {
  const { problems = [], at, cause, plugin, hook } = error.details;
  const lines = [`${style.red(style.bold("error:"))} ${printableLines(error.message)}`];
  if (problems.length === 0 && at !== undefined && !error.message.includes(at)) {
    lines.push(`  at ${printable(at)}`);
  }
  if (plugin !== undefined && !error.message.includes(`"${plugin}"`)) {
    lines.push(`  plugin "${printable(plugin)}"${hook === undefined ? "" : `, hook "${hook}"`}`);
  }
  const sources = new Map<string, Promise<readonly string[] | undefined>>();
  const sourceOf = (file: string) => {
    let source = sources.get(file);
    if (!source) {
      const path = file.startsWith("/") ? file : `${options.dir}/${file}`;
      source = io.readText(path).then((text) => text?.split(/\r?\n/));
      sources.set(file, source);
    }
    return source;
  };
  for (const problem of problems) {
    lines.push("", ...problemLines(problem, await sourceOf(problem.file), style));
  }
  // That something is not there has been said in better words.
  const told = cause === undefined || error.code === "PERMISSION_MISSING" ||
    error.message.includes(brief(messageOf(cause))) || error.message.includes(whyFailed(cause)) ||
    cause instanceof Deno.errors.NotFound || wrongFile(cause) !== undefined;
  if (!told || options.verbose && cause !== undefined) {
    lines.push(`${style.bold("cause:")} ${printableLines(brief(messageOf(cause)))}`);
    if (options.verbose && cause instanceof Error && cause.stack) {
      lines.push(...cause.stack.split("\n").filter((line) => /^\s+at /.test(line)));
    }
  }
  if (problems.length > 0) lines.push("");
  lines.push(`${style.bold("fix:")} ${printableLines(error.fix)}`);
  return lines;
}

/** `file:line:column: path: message`, as far as the place is known, the line of the file with a caret, the hint. */
function problemLines(problem: Problem, source: readonly string[] | undefined, style: Style): string[] {
  const { file, line, column, path, message, hint } = problem;
  const place = [file, line, column].slice(0, line > 0 ? column > 0 ? 3 : 2 : 1).join(":");
  const lines = [
    `  ${style.bold(`${printable(brief(place))}:`)} ${
      printableLines(path ? `${path}: ${message}` : message)
    }`,
  ];
  const text = line > 0 ? source?.[line - 1] : undefined;
  if (text !== undefined && text.trim() !== "") {
    const number = String(line).padStart(5);
    // Tabs stay tabs, so that the caret lands under the same column in any terminal.
    const indent = text.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, " ");
    lines.push(`  ${style.dim(`${number} │`)} ${printable(text.slice(0, 200))}`);
    if (column > 0 && column <= 200) {
      lines.push(`  ${style.dim(`${" ".repeat(number.length)} │`)} ${indent}${style.red("^")}`);
    }
  }
  if (hint) lines.push(`      ${printableLines(hint)}`);
  return lines;
}
