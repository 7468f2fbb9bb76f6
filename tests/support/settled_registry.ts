/** The generic registry, for one machine alone: a cleanup gives builds a moment to hear of it, not half a minute. */
import { definePlugin } from "../../core/contract/plugin.ts";
import { openOci } from "./registry_request.ts";

export default definePlugin({
  name: "registry-settled",
  api: 1,
  setup: () => ({
    openRegistry: async (request, { emit }) => {
      const backend = await openOci(request, emit);
      return backend && { ...backend, capabilities: { ...backend.capabilities, settleMs: 100 } };
    },
  }),
});

/** The entry of `plugins:` that takes it, from a file of the project. */
export const SETTLED = "{ use: ./settled.ts, trusted: true }";
/** That file; an import that dapp cannot see, since it would refuse one that leads out of the project. */
export const settledFile = {
  "settled.ts": `const there = "${import.meta.url}";\nexport default (await import(there)).default;\n`,
};
