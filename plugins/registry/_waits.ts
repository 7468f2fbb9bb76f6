import type { HookContext } from "../../core/contract/plugin.ts";
import type { OnWait } from "./_oci_backend.ts";

const SHORTEST_MS = 3_000;

/** Tells the user why nothing seems to happen: a registry says nothing, or asks for a pause of some seconds or more. */
export function noteWaits(ctx: Pick<HookContext, "emit">): OnWait {
  return ({ host, ms, status, doing = "", proxy }) => {
    if (status === undefined) {
      const through = proxy === undefined ? host : `${host} (proxy ${proxy})`;
      return ctx.emit({ type: "registry.waiting", host: through, ms, reason: doing });
    }
    if (ms < SHORTEST_MS) return;
    const text = `Registry "${host}" asks to wait ${Math.ceil(ms / 1000)} s (status ${status}), waiting`;
    ctx.emit({ type: "note", level: "warn", text });
  };
}
