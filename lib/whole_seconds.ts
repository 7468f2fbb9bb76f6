/** A time, milliseconds since 1970, as RFC 3339 has it in UTC and whole seconds: `2026-01-31T12:00:00Z`. */
export function wholeSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
