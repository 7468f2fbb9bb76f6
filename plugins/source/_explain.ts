import { whyFailed } from "../../lib/file_failure.ts";
import { EngineError } from "../../core/contract/plugin.ts";
import { OciError } from "../../lib/oci/errors.ts";

/** How to see what an image is, for people who wonder. */
function lookAt(title: string): string {
  const [kind, name = ""] = /^(oci|archive):(.*)$/s.exec(title)?.slice(1) ?? ["docker", `//${title}`];
  const place = kind === "archive" ? `docker-archive:${name} (or oci-archive:)` : `${kind}:${name}`;
  return `Choose another base image, or look at this one with: skopeo inspect ${place}`;
}

/** Runs `action`; what it finds wrong with an image or its files becomes an error of the engine. */
export async function explained<T>(title: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof OciError) {
      const code = error.kind === "missing" ? "SOURCE_NOT_FOUND" : "SOURCE_INVALID";
      const fix = error.fix ?? (code === "SOURCE_INVALID" ? lookAt(title) : undefined);
      throw new EngineError(code, error.message, { cause: error, ...(fix && { fix }) });
    }
    const fromFiles = Object.values(Deno.errors).some((type) => error instanceof type);
    if (!fromFiles || error instanceof Deno.errors.Interrupted) throw error;
    const why = whyFailed(error);
    throw new EngineError("SOURCE_INVALID", `Cannot use image "${title}": ${why}`, {
      cause: error,
      fix: "Check that the files can be read and that the disk has space",
    });
  }
}
