/** Names of the engine's methods, from its interface: what has to hold for all of them is asked of all of them. */
import { textOf } from "./import_graph.ts";

export function engineMethods(): readonly string[] {
  const [, body = ""] = /export interface Engine extends AsyncDisposable \{\n([\s\S]*?)\n\}/.exec(
    textOf("core/api.ts"),
  )!;
  const names = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name!);
  if (names.length < 20) throw new Error(`core/api.ts names ${names.length} methods only`);
  return names;
}
