/** Shows the layers that are kept as images, inside a helper process. */
import { EngineError, messageOf } from "../../../core/contract/errors.ts";
import { SHOWN } from "./cache.ts";
import { isShown, mountImage } from "./layer_image.ts";

/**
 * Mounts images in this process's mount namespace, where they stay for all of its steps; where the kernel cannot, which it
 * could when they were made, their files are unpacked. `dirs` are paths from `native`/l. @throws STORE_FAILED
 */
export async function showLayers(native: string, dirs: readonly string[]): Promise<void> {
  for (const dir of dirs) {
    if (!dir.endsWith(`/${SHOWN}`)) continue;
    const layer = `${native}/l/${dir.slice(0, -SHOWN.length - 1)}`;
    try {
      if (isShown(layer) || mountImage(layer)) continue;
      if (isShown(layer)) continue; // another process has just made a directory of it
      const { unpackImage } = await import("./unpack_image.ts");
      await unpackImage(layer, `${layer}/${crypto.randomUUID().slice(0, 8)}`);
    } catch (error) {
      throw new EngineError(
        "STORE_FAILED",
        `Cannot use the unpacked layer in "${layer}": ${messageOf(error)}`,
        {
          cause: error,
          fix: `Delete "${layer}", a copy that is made again`,
        },
      );
    }
  }
}
