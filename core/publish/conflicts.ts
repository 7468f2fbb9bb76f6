import { EngineError } from "../contract/errors.ts";
import { tagProblem } from "./tags.ts";

/** One image under one final name. */
export interface PublishRow {
  /** The full name with tag. */
  readonly reference: string;
  /** Name of the dimg. */
  readonly image: string;
  readonly signature: string;
  readonly scheme: string;
  /** What the tag was made from. */
  readonly value: string;
}

/**
 * Checks the final names of a run, before anything is pushed. Every name that two rows would write with different
 * content (dimg, signature, scheme or value) is reported; rows that are equal in all of it are not.
 *
 * @throws {EngineError} TAG_CONFLICT naming both; TAG_INVALID when a tag became too long, or looks like that of a stage,
 * by the name of the dimg in front of it
 */
export function checkConflicts(rows: readonly PublishRow[]): void {
  const first = new Map<string, PublishRow>();
  const conflicts = new Map<string, PublishRow>();
  for (const row of rows) {
    const wrong = tagProblem(row.reference.slice(row.reference.lastIndexOf(":") + 1));
    if (wrong !== undefined) {
      const { why, ...advice } = wrong;
      throw new EngineError(
        "TAG_INVALID",
        `Cannot publish ${describe(row)} as "${row.reference}": ${why}`,
        advice,
      );
    }
    const other = first.get(row.reference);
    if (!other) first.set(row.reference, row);
    else if (contentOf(other) !== contentOf(row) && !conflicts.has(row.reference)) {
      conflicts.set(row.reference, row);
    }
  }
  if (conflicts.size === 0) return;
  const list = [...conflicts].map(([reference, row]) =>
    `"${reference}" would be both ${describe(first.get(reference)!)} and ${describe(row)}`
  );
  throw new EngineError("TAG_CONFLICT", `Cannot publish: ${list.join("; ")}`);
}

function contentOf({ image, signature, scheme, value }: PublishRow): string {
  return JSON.stringify([image, signature, scheme, value]);
}

function describe({ image, scheme, value }: PublishRow): string {
  return `${image === "" ? "the nameless dimg" : `dimg "${image}"`} (${scheme} "${value}")`;
}
