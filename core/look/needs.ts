import type { Config } from "../contract/config.ts";
import type { RegistryBackend } from "../contract/registry.ts";
import type { ImageSource } from "../contract/source.ts";
import type { Store } from "../contract/store.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { ImageNode } from "../sign/graph.ts";
import type { SignedGraph } from "../sign/sign.ts";

/** What looking into images takes. */
export interface LookNeeds {
  readonly options: Pick<ResolvedOptions, "dir" | "platform" | "cacheFrom" | "emit" | "signal">;
  /** REPO, when there is one. */
  readonly repo: string | undefined;
  config(): Promise<Config>;
  project(): Promise<{ readonly name: string }>;
  store(): Promise<Store>;
  selectOne(pattern: string | undefined): Promise<ImageNode>;
  sign(keys: ReadonlySet<string>): Promise<SignedGraph>;
  registry(repo: string): Promise<{ readonly value: RegistryBackend }>;
  source(name: string, platform: string): Promise<ImageSource>;
}
