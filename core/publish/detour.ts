import type { EventSink } from "../contract/events.ts";
import type { BuildResult } from "../contract/results.ts";
import type { Store } from "../contract/store.ts";

/** Less is not worth a word. */
const MUCH = 10_000_000;

/** Says what came from builders elsewhere only to be sent on, when that is much: they could send it themselves. */
export async function remarkOnDetour(
  builds: readonly BuildResult[],
  { store: { stages }, emit }: { readonly store: Store; readonly emit: EventSink },
): Promise<void> {
  const built = builds.flatMap((build) => build.stages)
    .filter(({ state, builtBy }) => state === "built" && builtBy?.address !== undefined);
  const records = await Promise.all(built.map(({ signature }) => stages.record(signature)));
  const bytes = records.reduce((sum, record) => sum + (record?.addedBytes ?? 0), 0);
  if (bytes < MUCH) return;
  const text =
    `${Math.round(bytes / 1e6)} MB of layers came from where commands ran, and went to REPO from here. ` +
    "With --with-stages they go there directly";
  emit({ type: "note", level: "info", text });
}
