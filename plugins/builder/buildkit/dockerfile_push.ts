import type {
  Digest,
  DockerfileResult,
  DockerfileStep,
  Layer,
  OciPlatform,
  SharedPlace,
} from "../../../core/contract/plugin.ts";
import { OciError } from "../../../lib/oci/errors.ts";
import { imageOf } from "../../../lib/oci/image.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { isLate, refused } from "./canonical.ts";
import { pushedImage, pushedWrong } from "./shared_layer.ts";

/** The image of a Dockerfile on its way to a repository. */
interface Pushed {
  readonly step: DockerfileStep;
  readonly shared: SharedPlace;
  readonly platform: OciPlatform;
  /** Modification times from here on are the build's own; seconds since 1970 by the daemon's clock. */
  readonly started: number;
  /** Looks into a layer where it is; undefined when that cannot be done there. */
  look(layer: Layer, each: (entry: TarEntry) => void): Promise<unknown>;
  readonly signal: AbortSignal;
}

/**
 * The image that a daemon has pushed, every new layer looked into. No image: a layer must be written anew, or nobody can
 * look into it there.
 */
export async function takePushed(
  manifest: string,
  { step, shared, platform, started, look, signal }: Pushed,
): Promise<{ readonly spare: Digest; readonly image?: DockerfileResult }> {
  const { repository } = shared;
  const { spare, ...document } = await pushedImage(shared, manifest, signal);
  const bases = new Map(
    step.bases.flatMap(({ image }) => image.layers).map((layer) => [layer.digest, layer]),
  );
  const { epoch, label } = step;
  try {
    const title = `${repository.name}@${manifest}`;
    const { config, layers } = imageOf(document, await repository.blob(document.config, signal), {
      title,
      platform,
    });
    const whole = await Promise.all(layers.map(async (layer) => {
      const base = bases.get(layer.digest);
      if (base && base.diffId !== layer.diffId) {
        throw new OciError(
          "invalid",
          `layer ${layer.digest} is ${base.diffId}, its config says ${layer.diffId}`,
        );
      }
      if (base) return true;
      let late = false;
      const found = await look(layer, (entry) => void (late ||= isLate(entry, { epoch, started })));
      return found !== undefined && !late;
    }));
    if (whole.includes(false)) return { spare };
    return {
      spare,
      image: { config, layers: layers.map((layer) => ({ ...layer, place: repository.name })) },
    };
  } catch (error) {
    if (error instanceof OciError) throw pushedWrong(repository, manifest, error.message);
    throw refused(error, label);
  }
}
