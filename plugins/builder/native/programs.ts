/** Programs that a builder needs on the machine, and what to say when one is missing. */
import { DEFAULT_PATH } from "../../../lib/program_environment.ts";
import { EngineError } from "../../../core/contract/errors.ts";

/** The environment of the engine. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A program of PATH: the first that somebody may start. */
export function find(program: string, env: Env): string | undefined {
  return (env.PATH ?? DEFAULT_PATH).split(":").map((dir) => `${dir}/${program}`).find(
    (path) => {
      try {
        const { isFile, mode } = Deno.statSync(path);
        return isFile && ((mode ?? 0) & 0o111) !== 0;
      } catch {
        return false;
      }
    },
  );
}

/** Why this builder cannot be used, and what to do. */
export function unavailable(why: string, fix: string): EngineError {
  return new EngineError("BUILDER_UNAVAILABLE", `Cannot use builder "native": ${why}`, { fix });
}
