/** What the process of a plugin makes of objects that are dapp's, and hands out of its own. */
import { Reference, type Remote, type Shape } from "../wire.ts";
import { registryShape, sourceShape } from "./shapes.ts";
import { memoOf, storeOf } from "./store_in_child.ts";

/** Calls a method of an object of dapp's. */
export type AskDapp = (of: Remote, name: string, args: readonly unknown[]) => Promise<unknown>;

/** A hook that answers with an object. */
interface RoleInChild {
  readonly shape: Shape;
  /** What the plugin is handed. */
  input(request: Readonly<Record<string, unknown>>, ask: AskDapp): unknown;
}

/** Those hooks. */
const roles: Readonly<Record<string, RoleInChild>> = {
  openRegistry: {
    shape: registryShape,
    input: ({ memo, ...request }, ask) => ({ ...request, memo: memoOf(memo, ask) }),
  },
  openSource: {
    shape: sourceShape,
    input: ({ store, ...request }, ask) => ({ ...request, store: storeOf(store, ask) }),
  },
};

/** Asks a hook, with objects where it takes or gives such. */
export async function askHook(
  name: string,
  input: unknown,
  { ask, handler }: { readonly ask: AskDapp; handler(input: unknown): unknown },
): Promise<unknown> {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (!role) return await handler(input);
  const answer = await handler(role.input(input as Readonly<Record<string, unknown>>, ask));
  return typeof answer === "object" && answer !== null ? new Reference(answer, role.shape) : answer;
}
