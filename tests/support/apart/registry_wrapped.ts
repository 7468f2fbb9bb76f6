/** Registries of dapp as a plugin of somebody else would be. */
import { definePlugin, type Plugin } from "../../../plugin.ts";
import { registryLayout } from "../../../plugins/registry/layout.ts";
import { registryOci } from "../../../plugins/registry/oci.ts";

/** What connections depend on. */
const proxies = ["http", "https", "all", "no"].flatMap((
  kind,
) => [`${kind}_proxy`, `${kind}_proxy`.toUpperCase()]);

const registryWrapped: Plugin<{ hosts?: string[]; write?: string[] }> = definePlugin({
  name: "registry-wrapped",
  api: 1,
  options: (z) =>
    z.strictObject({ hosts: z.array(z.string()).default([]), write: z.array(z.string()).default([]) }),
  rights: ({ hosts, write }) => ({ hosts, read: write, write, env: proxies }),
  async setup({ hosts }, host) {
    const { openRegistry } = await (hosts.length > 0 ? registryOci : registryLayout).load(undefined, host);
    return openRegistry === undefined ? {} : { openRegistry };
  },
});
export default registryWrapped;
