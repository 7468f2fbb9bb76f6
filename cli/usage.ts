import { EngineError } from "../core/contract/errors.ts";

/** A usage error that leads to the help of `path`. */
export function usage(message: string, path: string): EngineError {
  return new EngineError("USAGE", message, { fix: `Run: dapp ${path === "" ? "" : `${path} `}--help` });
}
