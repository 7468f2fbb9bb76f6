/** What the command line needs from the world; tests give it fakes. */
import type { Engine, EngineOptions } from "../mod.ts";
import type { SshAgent } from "./ssh_agent.ts";

/** A standard stream. */
export interface Output {
  /** Writes all of `text`, or nothing when the reader is gone. Never throws. */
  write(text: string): void;
  /** Why text is not where it was written to, such as a full disk; undefined when it is, and when its reader is gone. */
  readonly failure?: string | undefined;
  readonly isTerminal: boolean;
  /** Size of the terminal now. */
  size(): { readonly columns: number; readonly rows: number };
}

export interface Clock {
  /** Milliseconds from any fixed point, never going back. */
  now(): number;
  /** Milliseconds since 1970. */
  date(): number;
  /** Calls `action` once after `ms`; returns what cancels it. */
  after(ms: number, action: () => void): () => void;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** Leaves Ctrl-C to the command that now has the terminal; returns what ends that. */
  lendTerminal(): () => void;
  /** An ssh agent with the keys of these files. @throws SECRET_UNAVAILABLE */
  startSshAgent(keys: readonly string[]): Promise<SshAgent>;
  createEngine(options: EngineOptions): Promise<Engine>;
  /** What git was asked before this process was started, for a project directory as it was written. */
  gitAsked(dir: string): Pick<EngineOptions, "gitStatus" | "gitListing"> | undefined;
  /** Whether somebody can type on standard input. */
  readonly stdinIsTerminal: boolean;
  /**
   * The next line that the user types, without its end; undefined when there is none.
   *
   * @throws the signal's reason, when that comes first
   */
  readLine(): Promise<string | undefined>;
  /**
   * A secret that the user types, and nobody sees; undefined when there is no terminal.
   *
   * @throws the signal's reason, when that comes first
   */
  askSecret(question: string): Promise<string | undefined>;
  /** Everything on standard input, or its first 64 KiB. */
  readStdin(): Promise<string>;
  /** The file's text, or undefined when it cannot be read. */
  readText(path: string): Promise<string | undefined>;
  /** The absolute path, without links. */
  realPath(path: string): Promise<string>;
  /** Names in a directory; none when it is not there. */
  list(dir: string): Promise<readonly string[]>;
  /** Writes a file that is not there yet, by its absolute path; directories above it are made. */
  writeText(path: string, text: string): Promise<void>;
  /** Adds to the end of a file. */
  appendText(path: string, text: string): Promise<void>;
}

/** Columns of a terminal; what is no terminal has no end. */
export function widthOf(out: Output): number {
  return out.isTerminal ? out.size().columns : Infinity;
}
