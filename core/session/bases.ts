import { EngineError } from "../contract/errors.ts";
import type { RegistryAccess } from "../contract/registry.ts";
import type { ImageSource, ResolvedImage } from "../contract/source.ts";
import type { Store } from "../contract/store.ts";
import { disposeAll } from "../hooks/dispose.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What finding base images takes. */
export interface BaseFinder {
  readonly options: Pick<ResolvedOptions, "platform" | "dir" | "env" | "signal" | "untrusted">;
  hooks(): Promise<HookRunner>;
  store(): Promise<Store>;
  /** What dappfile.lock says of a name. */
  pin(name: string): Promise<Digest | undefined>;
  accessTo(name: string): RegistryAccess;
}

/** A base image as this run uses it. */
export interface BaseImage extends ResolvedImage {
  /** Its name may point to another image next time: dappfile.lock does not have it. */
  readonly unpinned: boolean;
}

/** The base images of one run, each found once. */
export class Bases implements AsyncDisposable {
  readonly #sources = new Map<string, Promise<ImageSource>>();
  readonly #images = new Map<string, Promise<BaseImage>>();

  constructor(readonly finder: BaseFinder) {}

  /** The image behind a name, for the platform of this run unless another one is named. */
  image(name: string, platform = this.finder.options.platform): Promise<BaseImage> {
    const key = `${platform} ${name}`;
    let image = this.#images.get(key);
    if (!image) {
      image = this.#resolve(name, platform);
      this.#images.set(key, image);
    }
    return image;
  }

  async #resolve(name: string, platform: string): Promise<BaseImage> {
    const pin = await this.finder.pin(name);
    const found = await (await this.source(name, platform)).resolve(pin, this.finder.options.signal);
    return { ...found, unpinned: found.pin !== undefined && pin === undefined };
  }

  /** What provides a base image. @throws SOURCE_NOT_FOUND */
  source(name: string, platform = this.finder.options.platform): Promise<ImageSource> {
    const key = `${platform} ${name}`;
    let source = this.#sources.get(key);
    if (!source) {
      source = this.#ask(name, platform);
      this.#sources.set(key, source);
    }
    return source;
  }

  async #ask(name: string, platform: string): Promise<ImageSource> {
    const { dir, env, untrusted } = this.finder.options;
    const access = this.finder.accessTo(name);
    const answer = await (await this.finder.hooks()).first("openSource", {
      name,
      platform: platformOf(platform),
      store: await this.finder.store(),
      projectDir: dir,
      // Strangers would choose where the logins of this machine are used, and see what they give.
      env: untrusted ? (await import("../config/untrusted.ts")).anonymousEnvironment(env) : env,
      access: untrusted ? { insecure: access.insecure } : access,
    });
    if (answer) return answer.value;
    throw new EngineError("SOURCE_NOT_FOUND", `Cannot use base image "${name}": no plugin knows it`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#images.values());
    await disposeAll([...this.#sources.values()]);
  }
}
