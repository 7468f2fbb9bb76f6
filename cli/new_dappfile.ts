/** A dappfile that a command writes where none is yet, with the schema for editors beside it. */
import { EngineError } from "../core/contract/errors.ts";
import type { Io } from "./io.ts";

const FILE = "dappfile.yaml";
const SCHEMA = "dappfile.schema.json";

/** The line that editors want in every document. */
export const SCHEMA_HINT = `# yaml-language-server: $schema=./${SCHEMA}`;

/** The key `project` with the name of a directory, which may be anything. */
export function projectLine(name: string): string {
  const word = projectWord(name);
  return `project: ${/^[A-Za-z][\w.-]*$/.test(word) ? word : JSON.stringify(word)}`;
}

/** A name as `project` takes it: one word. */
export function projectWord(name: string): string {
  return name.trim().replaceAll(/\s+/g, "-");
}

/** @throws {EngineError} USAGE when there is a dappfile */
export async function requireNoDappfile(io: Io, dir: string, fix: string): Promise<void> {
  const names = await io.list(dir);
  const there = [FILE, "dappfile.yml"].find((name) => names.includes(name));
  if (there === undefined) return;
  throw new EngineError("USAGE", `Cannot write "${FILE}": "${dir}/${there}" is there already`, { fix });
}

/** Writes both and returns their names; a schema that is there stays. */
export async function writeDappfile(io: Io, dir: string, text: string): Promise<readonly string[]> {
  const { configJsonSchema } = await import("../mod.ts");
  await io.writeText(`${dir}/${FILE}`, text);
  if ((await io.list(dir)).includes(SCHEMA)) return [FILE];
  await io.writeText(`${dir}/${SCHEMA}`, `${JSON.stringify(await configJsonSchema(), undefined, 2)}\n`);
  return [FILE, SCHEMA];
}
