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
