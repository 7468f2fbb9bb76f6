/** What the process of a plugin makes of objects that are dapp's, and hands out of its own. */
import type { Builder } from "../../../contract/builder.ts";
import type { Store } from "../../../contract/store.ts";
import { readOnly } from "../../../../lib/read_only.ts";
import { Reference } from "../wire.ts";
import { wrapBuilder } from "./builder_in_child.ts";
import { isRole, type RoleName, roleShapes } from "./shapes.ts";
import { type AskDapp, memoOf, storeOf, wrapStore } from "./store_in_child.ts";

/** A hook that answers with an object. */
interface RoleInChild {
  /** What is handed out in place of what the plugin answers, where calls come in another form. */
  wrap?(answer: object, ask: AskDapp): object;
  /** What the plugin is handed. */
  input(request: Readonly<Record<string, unknown>>, ask: AskDapp): unknown;
}

/** Those hooks. */
const roles: Readonly<Record<RoleName, RoleInChild>> = {
  openRegistry: {
    input: ({ memo, ...request }, ask) => ({ ...request, memo: memoOf(memo, ask) }),
  },
  openSource: {
    input: ({ store, ...request }, ask) => ({ ...request, store: storeOf(store, ask) }),
  },
  openBuilder: {
    input: ({ store, ...request }, ask) => ({ ...request, store: storeOf(store, ask) }),
    wrap: (builder, ask) => wrapBuilder(builder as Builder, ask),
  },
  openStore: { input: (request) => request, wrap: (store) => wrapStore(store as Store) },
};

/** Asks a hook, with objects where it takes or gives such. */
export async function askHook(
  name: string,
  input: unknown,
  { ask, handler }: { readonly ask: AskDapp; handler(input: unknown): unknown },
): Promise<unknown> {
  if (!isRole(name)) return await handler(readOnly(input));
  const role = roles[name];
  const answer = await handler(role.input(input as Readonly<Record<string, unknown>>, ask));
  if (typeof answer !== "object" || answer === null) return answer;
  return new Reference(role.wrap ? role.wrap(answer, ask) : answer, roleShapes[name]);
}
