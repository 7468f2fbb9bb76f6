import { EngineError } from "../contract/errors.ts";
import { watching } from "../../lib/watch.ts";
import type { Store } from "../contract/store.ts";
import type { HookRunner } from "../hooks/runner.ts";
import { networkOf, proxyOfThisMachine } from "./step_network.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import type { Builder, BuilderRequest } from "../contract/builder.ts";
import { suggest } from "../../lib/suggest.ts";
import type { Signature } from "../contract/signature.ts";

/** What running commands takes. */
export interface BuilderNeeds {
  readonly options: Pick<
    ResolvedOptions,
    "platform" | "builder" | "parallel" | "network" | "env" | "untrusted" | "emit"
  >;
  hooks(): Promise<HookRunner>;
}

/** Opens the builder of this run. @throws BUILDER_UNAVAILABLE */
export async function openBuilder(
  session: BuilderNeeds,
  store: Store,
  onLayer?: BuilderRequest["onLayer"],
): Promise<Builder> {
  const { platform, builder: name, emit } = session.options;
  const why = session.options.network ? undefined : proxyOfThisMachine(session.options);
  if (why) {
    emit({
      type: "note",
      level: "info",
      text: `Commands have this machine's network (as with --network host): ${why}`,
    });
  }
  const builder = await findBuilder(session, store, onLayer);
  if (builder) return builder;
  throw noBuilder(
    name ? `no plugin offers builder "${name}"` : `no builder runs commands for ${platform} here`,
    name,
  );
}

/**
 * Makes sure that there is a builder of the name that was given, also where nothing comes to be built. Those of dapp are
 * not opened for that.
 *
 * @throws BUILDER_UNAVAILABLE
 */
export async function requireBuilder(session: BuilderNeeds, store: () => Promise<Store>): Promise<void> {
  const { builder: name } = session.options;
  if (name === undefined || BUILT_IN.includes(name)) return;
  const found = await findBuilder(session, await store());
  if (!found) throw noBuilder(`no plugin offers builder "${name}"`, name);
  await found[Symbol.asyncDispose]();
}

function noBuilder(why: string, name: string | undefined): EngineError {
  return new EngineError("BUILDER_UNAVAILABLE", `Cannot run stage commands: ${why}`, { fix: fixFor(name) });
}

/** Builders that every dapp has, by the names that they answer to. */
const BUILT_IN: readonly string[] = ["native", "buildkit"];

function fixFor(name: string | undefined): string {
  if (name === undefined || BUILT_IN.includes(name)) {
    return "Run: dapp builder setup (the built-in builder needs Linux; images without shell commands build anywhere)";
  }
  const near = suggest(name, BUILT_IN);
  return near
    ? `Did you mean "${near}"?`
    : "Name native, buildkit, or the builder of a plugin under `plugins:`";
}

/** The builder of this run, if any plugin offers one. @throws BUILDER_UNAVAILABLE */
export async function findBuilder(
  session: BuilderNeeds,
  store: Store,
  onLayer?: BuilderRequest["onLayer"],
): Promise<Builder | undefined> {
  const { platform, builder: name, parallel } = session.options;
  watching()?.beyond("a builder");
  const answer = await (await session.hooks()).first("openBuilder", {
    platform: platformOf(platform),
    store,
    parallel,
    ...(name && { name }),
    ...networkOf(session.options, {}),
    ...(onLayer && { onLayer }),
  });
  return answer?.value;
}

/** Steps of one image are best run in one place: the signature of the first of them. */
export function placementOf({ stages }: SignedImage, stage: SignedStage): Signature {
  return (stages.find(needsBuilder) ?? stage).signature;
}
