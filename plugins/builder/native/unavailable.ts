/** What to say when this builder lacks something on the machine. */
import { EngineError } from "../../../core/contract/errors.ts";

/** Why this builder cannot be used, and what to do. */
export function unavailable(why: string, fix: string): EngineError {
  return new EngineError("BUILDER_UNAVAILABLE", `Cannot use builder "native": ${why}`, { fix });
}
