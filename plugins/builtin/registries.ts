/** Built-in registry plugins, in the order in which they are asked. Loaded when a REPO is opened. */
import type { Plugin } from "../../core/contract/plugin.ts";
import {
  registryAcr,
  registryDockerHub,
  registryEcr,
  registryGar,
  registryGhcr,
  registryGitlab,
  registryHarbor,
  registryQuay,
  registryZot,
} from "../registry/providers.ts";
import { registryLayout } from "../registry/layout.ts";
import { registryOci } from "../registry/oci.ts";

/** In the order in which they are asked. */
export const plugins: readonly Plugin[] = [
  registryLayout,
  registryDockerHub,
  registryGitlab,
  registryHarbor,
  registryGhcr,
  registryEcr,
  registryAcr,
  registryGar,
  registryQuay,
  registryZot,
  registryOci,
];
