// Types of the npm republication of @std, which ships none. Only what this project imports.
declare module "@std/async/abortable" {
  /** What `work` gives, or rejects with the signal's reason; the work itself goes on. */
  export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T>;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    boolean?: readonly string[];
    string?: readonly string[];
    collect?: readonly string[];
    alias?: Readonly<Record<string, string | readonly string[]>>;
    default?: Readonly<Record<string, unknown>>;
    negatable?: readonly string[];
    stopEarly?: boolean;
    "--"?: boolean;
    unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export type Args = { _: (string | number)[]; "--"?: string[] } & Record<string, unknown>;
  export function parseArgs(args: readonly string[], options?: ParseOptions): Args;
}

declare module "@std/cli/prompt-secret" {
  /** Shows nothing when `mask` is ""; null when standard input is no terminal. */
  export function promptSecret(message: string, options?: { mask?: string; clear?: boolean }): string | null;
}

declare module "@std/fmt/colors" {
  /** The text without colours and other terminal codes. */
  export function stripAnsiCode(text: string): string;
}

declare module "@std/path/posix/basename" {
  export function basename(path: string | URL, suffix?: string): string;
}

declare module "@std/path/posix/dirname" {
  export function dirname(path: string | URL): string;
}

declare module "@std/path/posix/join" {
  export function join(...paths: string[]): string;
}

declare module "@std/path/posix/resolve" {
  /** The last absolute one with what follows it, without "." and ".."; below the working directory when none is absolute. */
  export function resolve(...paths: string[]): string;
}

declare module "@std/semver/compare" {
  import type { SemVer } from "@std/semver/try-parse";
  /** By precedence (semver.org 2.0.0, item 11). */
  export function compare(a: SemVer, b: SemVer): 1 | 0 | -1;
}

declare module "@std/semver/format" {
  import type { SemVer } from "@std/semver/try-parse";
  export function format(version: SemVer): string;
}

declare module "@std/semver/try-parse" {
  export interface SemVer {
    major: number;
    minor: number;
    patch: number;
    prerelease?: (string | number)[];
    build?: string[];
  }
  /** A version with or without "v" before it. */
  export function tryParse(text: string): SemVer | undefined;
}

declare module "@std/toml/parse" {
  export function parse(text: string): Record<string, unknown>;
}

declare module "@std/yaml/parse" {
  export interface ParseOptions {
    schema?: "failsafe" | "json" | "core" | "default" | "extended";
    allowDuplicateKeys?: boolean;
    onWarning?(error: Error): void;
  }
  /** @throws {SyntaxError} for what is no YAML, or more than one document */
  export function parse(content: string, options?: ParseOptions): unknown;
}
