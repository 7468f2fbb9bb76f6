import { DockerEngine, DockerError } from "../../../lib/docker/engine.ts";
import { matchName } from "../../../lib/glob.ts";
import { labels } from "../../contract/labels.ts";
import type { LocalCleanupNeeds } from "../needs.ts";
import type { LocalCleanupRequest, LocalCleanupRow } from "./model.ts";

/** Images of the local Docker engine that `dapp dimg tag` made. */
export async function dockerRows(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
  notes: string[],
): Promise<readonly LocalCleanupRow[]> {
  const { env, signal } = session.options;
  const patterns = request.what === "flush" ? request.patterns ?? [] : [];
  const project = request.what === "flush" ? (await session.project()).name : undefined;
  try {
    await using engine = new DockerEngine(env);
    const own = project === undefined ? labels.project : `${labels.project}=${project}`;
    const images = await engine.images([own, `${labels.dimg}=true`], signal);
    const used = await engine.usedImages(signal);
    return images.flatMap(({ id, names, bytes, labels: says }) => {
      const dimg = says[labels.name] ?? "";
      if (patterns.length > 0 && dimg !== "" && !patterns.some((p) => matchName(p, dimg))) return [];
      const busy = used.has(id);
      return names.map((name): LocalCleanupRow => ({
        kind: "docker image",
        name,
        verdict: busy ? "keep" : "delete",
        why: busy ? "a container uses it" : `it is dimg "${dimg}" of project "${says[labels.project]}"`,
        bytes,
      }));
    });
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    notes.push(`Images of the local Docker engine are left out. ${error.message}`);
    return [];
  }
}
