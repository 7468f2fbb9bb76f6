import type { Masker } from "../../lib/mask.ts";
import { EngineError } from "../contract/errors.ts";

/** The error without the values of secrets, which commands and tools may have put into messages. */
export function maskedError(error: unknown, masker: Masker): unknown {
  if (!masker.active || !(error instanceof Error)) return error;
  const cause = maskedError(error.cause, masker);
  if (error instanceof EngineError) {
    const { cause: _, ...details } = error.details;
    return new EngineError(error.code, masker.mask(error.message), {
      ...masker.maskAll(details),
      ...(cause !== undefined && { cause }),
    });
  }
  error.message = masker.mask(error.message);
  if (error.stack !== undefined) error.stack = masker.mask(error.stack);
  if (cause !== undefined) error.cause = cause;
  return error;
}
