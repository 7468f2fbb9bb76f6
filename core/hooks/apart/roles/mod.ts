/** The hooks that answer with an object which does the work: what they are handed, and what is made of their answer. */
import type { BuilderRequest } from "../../../contract/builder.ts";
import type { RegistryRequest } from "../../../contract/registry.ts";
import type { SourceRequest } from "../../../contract/source.ts";
import { builderApart, builderRequest } from "./builder.ts";
import { registryApart, registryRequest } from "./registry.ts";
import { sourceApart, sourceRequest } from "./source.ts";
import { storeApart } from "./store.ts";
import { Role, type RoleNeeds } from "./role.ts";
import type { RoleName } from "./shapes.ts";

interface ApartRole {
  /** What the plugin is asked with. */
  request(input: unknown, role: Role): unknown;
  /** What dapp gets. */
  open(answer: unknown, role: Role, input: unknown): unknown;
}

const roles: Readonly<Record<RoleName, ApartRole>> = {
  openRegistry: {
    request: (input, role) => registryRequest(input as RegistryRequest, role),
    open: registryApart,
  },
  openSource: {
    request: (input, role) => sourceRequest(input as SourceRequest, role),
    open: (answer, role, input) => sourceApart(answer, role, input as SourceRequest),
  },
  openBuilder: {
    request: (input, role) => builderRequest(input as BuilderRequest, role),
    open: (answer, role, input) => builderApart(answer, role, input as BuilderRequest),
  },
  openStore: { request: (input) => input, open: storeApart },
};

/** Asks such a hook of a plugin; undefined where it leaves the request to others. */
export async function askRole(
  input: unknown,
  needs: RoleNeeds,
  ask: (input: unknown) => Promise<unknown>,
): Promise<unknown> {
  const { request, open } = roles[needs.hook];
  const role = new Role(needs);
  try {
    const answer = await ask(await request(input, role));
    if (answer !== undefined && answer !== null) return await open(answer, role, input);
  } catch (error) {
    await role.dispose();
    throw error;
  }
  await role.dispose();
}
