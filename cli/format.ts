/** Numbers and names as people read them. */
import { watching } from "../lib/watch.ts";
import type { Io } from "./io.ts";

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** 4200000 → "4.2 MB"; decimal units. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const text = unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));
  return `${text} ${units[unit]}`;
}

/** 300 → "300ms", 2340 → "2.3s", 12300 → "12s", 65000 → "1m 05s", 3720000 → "1h 02m". */
export function formatDuration(ms: number): string {
  tellsTime();
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  return longDuration(seconds);
}

/** The same in whole seconds, for what is still running. */
export function formatElapsed(ms: number): string {
  tellsTime();
  const seconds = Math.floor(ms / 1000);
  return seconds < 60 ? `${seconds}s` : longDuration(seconds);
}

/** What says how long something took is another time next time. */
function tellsTime(): void {
  watching()?.beyond("a time was told");
}

function longDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`;
}

/**
 * A whole and its parts, all rounded to the unit that the whole wants, so that what is printed adds up. Parts of nothing
 * are left out.
 */
export function formatParts(
  ms: number,
  parts: readonly (readonly [ms: number, what: string])[],
): { readonly whole: string; readonly parts: readonly string[] } {
  const unit = ms < 999.5 ? 1 : ms < 9950 ? 100 : ms < 3_599_500 ? 1000 : 60_000;
  const whole = Math.round(ms / unit);
  const counts = parts.map(([part]) => Math.floor(part / unit));
  // What rounding down left over goes to those that lost most.
  const lost = parts.map(([part], i) => [part / unit - counts[i]!, i] as const).sort(([a], [b]) => b - a);
  const left = whole - counts.reduce((sum, n) => sum + n, 0);
  for (const [, i] of lost.slice(0, Math.max(0, left))) counts[i]!++;
  return {
    whole: inUnit(whole, unit),
    parts: parts.flatMap(([, what], i) => counts[i]! > 0 ? [`${inUnit(counts[i]!, unit)} ${what}`] : []),
  };
}

function inUnit(n: number, unit: number): string {
  tellsTime();
  if (unit === 1) return `${n}ms`;
  if (unit === 100) return `${(n / 10).toFixed(1)}s`;
  if (unit === 60_000 && n < 60) return `${n}m`;
  return formatElapsed(n * unit);
}

/** Bytes per second as "14 MB/s"; undefined when there is nothing to divide. */
export function formatRate(bytes: number, ms: number): string | undefined {
  return bytes > 0 && ms > 0 ? `${formatSize(1000 * bytes / ms)}/s` : undefined;
}

/** What was moved and how fast: "4.2 MB in 300ms, 14 MB/s". */
export function formatTransfer(bytes: number, ms: number): string {
  const rate = formatRate(bytes, ms);
  return `${formatSize(bytes)} in ${formatDuration(ms)}${rate === undefined ? "" : `, ${rate}`}`;
}

/** How a transfer ended. */
export function transferEnd(
  { failed, stopped }: { readonly failed?: true; readonly stopped?: true },
): string {
  return failed ? "failed" : stopped ? "stopped" : "done";
}

/** How long ago something was, in its largest unit: "5m ago", "3h ago", "12d ago". Less than a minute, or the future, is "just now". */
export function formatAge(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes}m ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ago` : `${Math.floor(hours / 24)}d ago`;
}

/** An RFC 3339 time as "2026-01-02 03:04 UTC"; anything else stays as it is. */
export function formatInstant(rfc3339: string): string {
  const date = new Date(rfc3339);
  return Number.isNaN(date.getTime()) ? rfc3339 : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** `sha256:` and the first 12 digits of a digest or signature, with an ellipsis. */
export function shortDigest(digest: string): string {
  const [head, hex] = digest.includes(":") ? digest.split(":", 2) : ["", digest];
  return `${head ? `${head}:` : ""}${hex!.slice(0, 12)}${hex!.length > 12 ? "…" : ""}`;
}

/** A name without the greater part of each signature or digest in it. */
export function shortTag(name: string): string {
  return name.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, "$1…");
}

/** `1 stage`, `2 stages`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/**
 * Beside control characters, those that turn the direction of writing round, or end a line for some, and bytes of names
 * that are not UTF-8.
 */
const controls = new RegExp(
  "(?<![\ud800-\udbff])[\udc80-\udcff]|[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]",
  "g",
);

/**
 * Text from elsewhere, such as a file name, as part of one line, with control characters made visible: they could command
 * the terminal, or look like lines of dapp's.
 */
export function printable(text: string): string {
  return text.replace(controls, (found) => {
    const code = (found.charCodeAt(0) & (found < "\udc00" ? 0xffff : 0xff)).toString(16);
    return found < "\u0100" || found >= "\udc00"
      ? `\\x${code.padStart(2, "0")}`
      : `\\u${code.padStart(4, "0")}`;
  });
}

/** The same of a text that may have several lines; all but the first are indented, so that none looks like one of dapp's. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n  ");
}

/** How an image is called in text. */
export function imageTitle(name: string, kind: "dimg" | "artifact"): string {
  if (kind === "artifact") return `artifact ${name}`;
  return name === "" ? "(nameless)" : name;
}

/** Writes the document whole, or as the last line of a stream of events. */
export function writeJson(io: Io, mode: string, type: "result" | "error", document: object): void {
  const text = mode === "events"
    ? JSON.stringify({ type, version: 1, ...document, time: new Date().toISOString() })
    : JSON.stringify({ version: 1, ...document }, undefined, 2);
  io.stdout.write(`${withoutHashes(text)}\n`);
}

/** The same JSON without "##", with which commands to some CI systems begin, wherever they are in a line. */
export function withoutHashes(json: string): string {
  return json.replaceAll("##", "#\\u0023");
}
