/** Built-in registry plugins, in the order in which they are asked. Loaded when a REPO is opened. */
import type { Plugin } from "./core/contract/plugin.ts";
import { registryAcr } from "./plugins/registry/acr/mod.ts";
import { registryDockerHub } from "./plugins/registry/docker_hub/mod.ts";
import { registryEcr } from "./plugins/registry/ecr/mod.ts";
import { registryGar } from "./plugins/registry/gar/mod.ts";
import { registryGhcr } from "./plugins/registry/ghcr/mod.ts";
import { registryGitlab } from "./plugins/registry/gitlab/mod.ts";
import { registryHarbor } from "./plugins/registry/harbor/mod.ts";
import { registryLayout } from "./plugins/registry/layout.ts";
import { registryOci } from "./plugins/registry/oci.ts";
import { registryQuay } from "./plugins/registry/quay/mod.ts";
import { registryZot } from "./plugins/registry/zot/mod.ts";

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
