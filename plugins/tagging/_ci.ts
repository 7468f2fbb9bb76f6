import { type CiFacts, EngineError } from "../../core/contract/plugin.ts";

/**
 * The CI system that a scheme needs.
 *
 * @throws {EngineError} TAG_SOURCE_MISSING outside of CI
 */
export function requireCi(ci: CiFacts | undefined, flag: string): CiFacts {
  if (ci) return ci;
  throw new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with --${flag}: no CI system that dapp knows is running it`,
    { fix: "Use --tag-branch or --tag TAG outside of CI" },
  );
}
