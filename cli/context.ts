/** What every command gets. */
import type { Engine, EngineOptions } from "../mod.ts";
import type { Io } from "./io.ts";
import type { Parsed } from "./parsed.ts";
import { parseCompression } from "./parse.ts";
import type { Renderer } from "./render/renderer.ts";
import type { Style } from "./style.ts";

export interface Context extends Parsed {
  readonly io: Io;
  /** For stdout. */
  readonly style: Style;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress: Renderer;
  /** The engine, made on first use and disposed of at the end. */
  engine(): Promise<Engine>;
  /** Prints the answer on stdout: lines for people, or the document when JSON is wanted. */
  answer(document: object, lines: () => readonly string[]): void;
}

/** A command: does its work and gives the exit code. */
export type CommandRun = (context: Context) => Promise<number>;

/** Engine options from the options given; absent ones are left to the engine. */
export function engineOptions(
  { options }: Pick<Parsed, "options">,
  io: Pick<Io, "env" | "signal">,
  onEvent: NonNullable<EngineOptions["onEvent"]>,
): EngineOptions {
  const given = <K extends keyof EngineOptions>(key: K, value: EngineOptions[K] | undefined) =>
    value === undefined ? {} : { [key]: value };
  const number = (text: string | undefined, factor = 1) =>
    text === undefined ? undefined : Number(text) * factor;
  const network = options.text("network");
  const compression = options.text("compression");
  return {
    env: io.env,
    signal: io.signal,
    onEvent,
    ...given("dir", options.text("dir")),
    ...given("config", options.text("config")),
    ...given("home", options.text("home")),
    ...given("name", options.text("name")),
    ...given("platform", options.text("platform")),
    ...given("parallel", number(options.text("parallel"))),
    ...given("network", network === "host" || network === "none" ? network : undefined),
    ...given("builder", options.text("builder")),
    ...given("lockTimeoutMs", number(options.text("lock-timeout"), 1000)),
    ...given("compression", compression === undefined ? undefined : parseCompression(compression)),
    ...(options.flag("dev") && { dev: true }),
    ...(options.flag("dry-run") && { dryRun: true }),
  };
}
