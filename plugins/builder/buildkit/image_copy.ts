import {
  type Digest,
  EngineError,
  type ImageState,
  type OciPlatform,
  type PinnedImage,
  type SharedPlace,
} from "../../../core/contract/plugin.ts";
import { authService } from "../../../lib/buildkit/attachables.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import type { Environment } from "./address.ts";
import type { Daemon } from "./daemon.ts";
import { build } from "./drive.ts";
import { isLost, unavailable } from "./failure.ts";
import { logins } from "./registry_login.ts";
import { copyExporter, pushedImage, pushedWrong } from "./shared_layer.ts";
import { planImage } from "./step_plan.ts";

/** How an image is copied. */
export interface CopyOptions {
  readonly to: SharedPlace;
  readonly platform: OciPlatform;
  /** Where logins are looked for. */
  readonly env: Environment;
  readonly signal: AbortSignal;
}

/** Lets a daemon push an image that a registry has to a repository, and gives what it put there. @throws REGISTRY_FAILED */
export async function copyImage(
  { client, address: { text } }: Daemon,
  { repository, digest, layers }: PinnedImage & Pick<ImageState, "layers">,
  { to, platform, env, signal }: CopyOptions,
): Promise<Digest> {
  const name = `${repository}@${digest}`;
  using session = client.session(authService(logins(to, env, [repository])));
  try {
    const definition = planImage(name, { platform, manifest: digest, repository });
    const answer = await build(client, { definition }, {
      session: session.id,
      entitlements: [],
      exporters: [copyExporter(to)],
      signal,
    });
    const manifest = answer["containerimage.digest"] ?? "";
    const pushed = await pushedImage(to, manifest, signal);
    if (pushed.layers.map((layer) => layer.digest).join() !== layers.map((layer) => layer.digest).join()) {
      throw pushedWrong(to.repository, manifest, `its layers are not those of ${name}`);
    }
    return pushed.spare;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isLost(error)) throw unavailable([text], error);
    if (!isRpcError(error)) throw error;
    throw new EngineError(
      "REGISTRY_FAILED",
      `BuildKit at "${text}" cannot bring image ${name} to ${to.repository.name}: ${error.details}`,
      { cause: error },
    );
  }
}
