// Types of the npm republication of @std, which ships none. Only what this project imports.
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

declare module "@std/yaml/parse" {
  export interface ParseOptions {
    schema?: "failsafe" | "json" | "core" | "default" | "extended";
    allowDuplicateKeys?: boolean;
    onWarning?(error: Error): void;
  }
  /** @throws {SyntaxError} for what is no YAML, or more than one document */
  export function parse(content: string, options?: ParseOptions): unknown;
}
