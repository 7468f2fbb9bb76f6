import type { RegistryCard } from "../api.ts";
import { probeRegistry } from "./check.ts";
import type { Session } from "../session/session.ts";
import { repoOf } from "../session/repos.ts";

/** Tries what the registry of REPO can do, also where there is no dappfile. */
export async function checkRegistry(session: Session, given: string | undefined): Promise<RegistryCard> {
  session.projectOptional = true;
  const repo = await repoOf(session, given);
  const { plugin, value: backend } = await session.registry(repo);
  const probes = await probeRegistry(backend, { signal: session.options.signal });
  const { kind, capabilities } = backend;
  return { repo: backend.repository("").name, plugin, kind, capabilities, probes };
}
