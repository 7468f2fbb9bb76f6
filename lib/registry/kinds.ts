/** Every kind that can be named with `--registry-kind`; `oci` is any registry, by the distribution protocol alone. */
export const registryKinds = [
  "docker-hub",
  "gitlab",
  "harbor",
  "ghcr",
  "ecr",
  "acr",
  "gar",
  "quay",
  "zot",
  "oci",
  "layout",
] as const;

/** One of {@linkcode registryKinds}. */
export type RegistryKind = typeof registryKinds[number];
