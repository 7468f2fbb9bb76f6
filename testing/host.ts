/** A machine of a test's making: a project directory, an environment, a clock, and programs that answer as told. */
import type { Host } from "../core/contract/plugin.ts";
import { parseDuration } from "../lib/quantity.ts";

/** What a test host has. */
export interface TestHostOptions {
  /** Files of the project: path -> text. */
  readonly files?: Readonly<Record<string, string>>;
  /** Variables beside `PATH` and `HOME`. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Programs that are found first in the `PATH` of `env`: name -> text of a shell script, such as
   * `echo '{"items": []}'`. A plugin finds them when it looks programs up in, or starts them with, its host's
   * environment.
   */
  readonly programs?: Readonly<Record<string, string>>;
  /** Where the clock stands, RFC 3339. @default "2026-03-01T12:00:00Z" */
  readonly now?: string;
}

/** A host in a temporary directory, which is gone when it is disposed of. */
export interface TestHost extends Host, AsyncDisposable {
  /** Where the clock stands, RFC 3339. */
  readonly now: string;
  /** Moves the clock on by a duration: `30d`. @throws {RangeError} when it is none */
  pass(duration: string): void;
  /** Writes files of the project. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** The arguments of each call of one of its programs, in order. */
  calls(program: string): Promise<readonly (readonly string[])[]>;
}

/**
 * Makes a host.
 *
 * @example
 * ```ts
 * import { createTestHost } from "@dapp/dapp/testing";
 *
 * await using host = await createTestHost({ files: { "VERSION": "1.2" }, programs: { kubectl: "echo '{}'" } });
 * console.assert(await Deno.readTextFile(`${host.projectDir}/VERSION`) === "1.2");
 * ```
 */
export async function createTestHost(options: TestHostOptions = {}): Promise<TestHost> {
  const { files = {}, env = {}, programs = {}, now = "2026-03-01T12:00:00Z" } = options;
  const root = await Deno.makeTempDir({ prefix: "dapp-testing-" });
  const [projectDir, bin] = [`${root}/project`, `${root}/bin`];
  for (const dir of [projectDir, bin, `${root}/home`]) await Deno.mkdir(dir);
  for (const [name, script] of Object.entries(programs)) {
    const text = `#!/bin/sh\n{ printf '%s\\0' "$@"; printf '\\n'; } >>'${bin}/${name}.calls'\n${script}\n`;
    await Deno.writeTextFile(`${bin}/${name}`, text, { mode: 0o755 });
  }
  let at = Date.parse(now);
  const host: TestHost = {
    projectDir,
    env: { HOME: `${root}/home`, PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`, ...env },
    get now() {
      return new Date(at).toISOString().replace(".000Z", "Z");
    },
    pass(duration) {
      const ms = parseDuration(duration);
      if (ms === undefined) throw new RangeError(`"${duration}" is no duration, wanted is one like 30d`);
      at += ms;
    },
    async write(more) {
      for (const [path, text] of Object.entries(more)) {
        const file = `${projectDir}/${path}`;
        await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
        await Deno.writeTextFile(file, text);
      }
    },
    async calls(program) {
      try {
        const text = await Deno.readTextFile(`${bin}/${program}.calls`);
        return text.split("\0\n").slice(0, -1).map((line) => line.split("\0"));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
  await host.write(files);
  return host;
}
