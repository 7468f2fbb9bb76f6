import type { PluginEvent } from "../contract/events.ts";
import { isNumber, isObject, isText } from "../../lib/guard.ts";
import { plain } from "../../lib/plain.ts";

/** What a plugin tells the user, if it may. @throws {SyntaxError} on anything else */
export function toldEvent(event: unknown): PluginEvent {
  const { type, level, text, host, ms, reason } = isObject(event) ? event : {};
  if (type === "note" && (level === "info" || level === "warn") && isText(text)) {
    return { type, level, text: plain(text) };
  }
  if (type === "detail" && isText(text)) return { type, text: plain(text) };
  if (
    type === "registry.waiting" && isText(host) && isNumber(ms) && ms >= 0 && ms < Infinity && isText(reason)
  ) {
    return { type, host: plain(host), ms, reason: plain(reason) };
  }
  const told = isText(type) ? JSON.stringify(type) : "nothing";
  const may = '"note" with level "info" or "warn" and text, "detail" with text, and "registry.waiting"';
  throw new SyntaxError(`it tells of ${told}, and may tell ${may}`);
}
