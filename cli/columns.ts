import { displayWidth } from "./width.ts";

/** Lines whose cells stand below each other; the last cell of a row is as long as it is. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell)));
  }
  return rows.map((row) =>
    row
      .map((cell, i) =>
        i === row.length - 1 ? cell : cell + " ".repeat(Math.max(0, widths[i]! - displayWidth(cell)))
      )
      .join("  ")
      .trimEnd()
  );
}
