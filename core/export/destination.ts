import { EngineError } from "../contract/errors.ts";
import { didYouMean } from "../../lib/suggest.ts";

const KINDS = ["oci", "oci-archive", "docker-archive"] as const;

/** Where images are written. */
export interface Destination {
  readonly kind: typeof KINDS[number];
  /** Absolute. */
  readonly path: string;
  /** A tag for OCI, an image name for Docker. */
  readonly reference?: string;
}

/** What may stand in `org.opencontainers.image.ref.name` (image-spec annotations.md). */
const REF_NAME =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/** Reads `KIND:PATH[:REFERENCE]`; the path ends at the first ":". @throws USAGE */
export function parseDestination(text: string, projectDir: string): Destination {
  const fail = (why: string, fix?: string) =>
    new EngineError("USAGE", `Cannot export to "${text}": ${why}`, {
      fix: fix ?? "Use oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME[:TAG]]",
    });
  const kind = KINDS.find((kind) => text.startsWith(kind + ":"));
  if (!kind) {
    const plain = !text.includes(":") && text !== "";
    const archive = plain && /\.tar(?:\.gz)?$|\.tgz$/.test(text);
    throw fail(
      `wanted is one of ${KINDS.map((kind) => kind + ":").join(", ")}` +
        (plain ? "" : didYouMean(text.replace(/:.*$/s, ""), KINDS)),
      archive
        ? `Did you mean docker-archive:${text}, for docker load, or oci-archive:${text}?`
        : plain
        ? `Did you mean oci:${text}, a directory, or docker-archive:${text}.tar, for docker load?`
        : undefined,
    );
  }
  const rest = text.slice(kind.length + 1);
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const reference = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "") throw fail("the path is missing");
  if (path === "-") {
    throw fail(
      '"-" would be a file of this name: archives are not written to standard output',
      "Name a file, and pass that on: docker load --input FILE",
    );
  }
  if (reference === "") throw fail('nothing follows the last ":"');
  if (reference !== undefined && kind !== "docker-archive" && !REF_NAME.test(reference)) {
    throw fail(`"${reference}" is no tag`);
  }
  return {
    kind,
    path: path.startsWith("/") ? path : `${projectDir}/${path}`,
    ...(reference !== undefined && { reference }),
  };
}
