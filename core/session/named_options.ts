import { MINIKUBE } from "../config/own_registry.ts";
import { type BuilderNeeds, requireBuilder } from "../build/open_builder.ts";
import type { Store } from "../contract/store.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { repositoryProblem } from "../../lib/oci/repository.ts";
import { registryKinds } from "../../lib/registry/kinds.ts";
import { didYouMean } from "../../lib/suggest.ts";

/** Options whose values name something, and who knows what there is. */
interface NamedNeeds extends BuilderNeeds {
  readonly options: ResolvedOptions;
  store(): Promise<Store>;
}

/**
 * Makes sure that there is what options name, also where nothing comes to be built and no registry to be asked: what is
 * mistyped is to be told now, not on the day when a stage is missing.
 *
 * @throws BUILDER_UNAVAILABLE, REPO_INVALID, USAGE
 */
export async function checkNamed(needs: NamedNeeds): Promise<void> {
  await requireBuilder(needs, () => needs.store());
  checkRegistryOptions(needs.options, await needs.hooks());
}

/** Nothing is known of what plugins of others open. */
function checkRegistryOptions(
  { repo, cacheFrom, registry: { kind } }: ResolvedOptions,
  hooks: Pick<HookRunner, "list">,
): void {
  if (hooks.list().some(({ builtin, hooks }) => !builtin && hooks.includes("openRegistry"))) return;
  for (const name of [...(repo === undefined ? [] : [repo]), ...cacheFrom]) {
    const wrong = name === MINIKUBE ? undefined : repositoryProblem(name);
    if (!wrong) continue;
    const { why, fix } = wrong;
    throw new EngineError("REPO_INVALID", `Cannot use repository "${name}": ${why}`, { ...(fix && { fix }) });
  }
  if (kind !== undefined && !registryKinds.some((known) => known === kind)) {
    throw new EngineError(
      "USAGE",
      `Cannot use registry kind "${kind}": wanted is one of ${registryKinds.join(", ")}${
        didYouMean(kind, registryKinds)
      }`,
      { fix: "Correct the value of --registry-kind, or leave it out" },
    );
  }
}
