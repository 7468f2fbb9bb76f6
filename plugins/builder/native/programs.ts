/** Programs that a builder needs on the machine, and what to say when one is missing. */
import { EngineError } from "../../../core/contract/errors.ts";

/** A program of PATH. */
export function find(program: string): string | undefined {
  return (Deno.env.get("PATH") ?? "/usr/bin:/bin").split(":").map((dir) => `${dir}/${program}`).find(
    (path) => {
      try {
        return Deno.statSync(path).isFile;
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
