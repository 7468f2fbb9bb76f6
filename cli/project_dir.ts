import { EngineError, messageOf } from "../core/contract/errors.ts";
import type { Io } from "./io.ts";
import type { GivenOptions } from "./command.ts";

/** The project directory, for commands that work without an engine. @throws {EngineError} USAGE */
export async function projectDir(io: Io, options: GivenOptions): Promise<string> {
  const dir = options.text("dir") ?? ".";
  try {
    return await io.realPath(`${dir}/.`);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such directory"
      : error instanceof Deno.errors.NotADirectory
      ? "it is not a directory"
      : messageOf(error);
    throw new EngineError("USAGE", `Cannot use the directory "${dir}": ${why}`, {
      fix: "Name the project directory with --dir",
    });
  }
}
