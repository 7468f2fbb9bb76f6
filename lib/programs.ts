/** Programs of PATH. */
import { DEFAULT_PATH } from "./program_environment.ts";

/** An environment, as far as it says where programs are. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A program of PATH, or at a path: the first that somebody may start. */
export function find(program: string, env: Env): string | undefined {
  if (program.includes("/")) return isProgram(program) ? program : undefined;
  return (env.PATH ?? DEFAULT_PATH).split(":").map((dir) => `${dir}/${program}`).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** The same, unless whoever embeds dapp lets it start others only. */
export function findAllowed(program: string, env: Env): string | undefined {
  const command = find(program, env);
  return command && Deno.permissions.querySync({ name: "run", command }).state === "granted"
    ? command
    : undefined;
}
