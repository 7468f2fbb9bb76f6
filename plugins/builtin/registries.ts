/** Built-in registry plugins. Loaded when a REPO is opened. */
import type { Plugin } from "../../core/contract/plugin.ts";
import { registryLayout } from "../registry/layout.ts";
import { registryOci } from "../registry/oci.ts";
import { providers } from "../registry/providers.ts";

/** In the order in which they are asked. */
export const plugins: readonly Plugin[] = [registryLayout, ...providers, registryOci];
