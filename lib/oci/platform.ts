import { suggest } from "../suggest.ts";
import type { OciPlatform } from "./types.ts";

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["aarch64", "arm64"],
  ["armhf", "arm/v7"],
  ["armel", "arm/v6"],
  ["i386", "386"],
  ["i686", "386"],
]);
const PART = /^[a-z0-9_.-]+$/;

/**
 * Reads `os/architecture[/variant]`, or an architecture alone (the system is then linux), in its usual spellings;
 * `arm64/v8` and `amd64/v1` lose the variant that they always have.
 *
 * @throws {RangeError} for anything else
 */
export function platformOf(text: string): OciPlatform {
  const parts = text.toLowerCase().split("/");
  if (parts.length === 1 || (parts.length === 2 && parts[1]!.startsWith("v"))) parts.unshift("linux");
  const [os = "", machine = "", given, ...rest] = parts;
  if (rest.length > 0 || ![os, machine, given ?? "v"].every((part) => PART.test(part))) {
    throw new RangeError(
      `Cannot read platform "${text}": wanted os/architecture[/variant], such as linux/amd64`,
    );
  }
  const [architecture = "", implied] = (ALIASES.get(machine) ?? machine).split("/");
  const variant = given ?? implied;
  const usual = `${architecture}/${variant}`;
  return { os, architecture, ...(variant && usual !== "arm64/v8" && usual !== "amd64/v1" && { variant }) };
}

/** Systems and processors that Go knows (`go tool dist list`), and so those that images are made for. */
const SYSTEMS = [
  "linux",
  "windows",
  "darwin",
  "freebsd",
  "netbsd",
  "openbsd",
  "solaris",
  "illumos",
  "aix",
  "wasip1",
];
const PROCESSORS = [
  "amd64",
  "arm64",
  "arm",
  "386",
  "riscv64",
  "ppc64le",
  "s390x",
  "loong64",
  "mips64le",
  "mips64",
  "mipsle",
  "mips",
  "ppc64",
  "wasm",
];

/** What is unknown of a platform, with what was probably meant: `there is no processor "amd46"`. */
export function platformProblem(
  { os, architecture, variant }: OciPlatform,
): { readonly why: string; readonly meant?: string } | undefined {
  const wrong = !SYSTEMS.includes(os)
    ? "os"
    : !PROCESSORS.includes(architecture)
    ? "architecture"
    : undefined;
  if (wrong === undefined) return undefined;
  const system = wrong === "os" ? suggest(os, SYSTEMS) : os;
  const processor = PROCESSORS.includes(architecture) ? architecture : suggest(architecture, PROCESSORS);
  const why = wrong === "os"
    ? `there is no system "${os}", known are ${SYSTEMS.join(", ")}`
    : `there is no processor "${architecture}", known are ${PROCESSORS.join(", ")}`;
  if (system === undefined || processor === undefined) return { why };
  return { why, meant: formatPlatform({ os: system, architecture: processor, ...(variant && { variant }) }) };
}

/** `os/architecture[/variant]`. */
export function formatPlatform({ os, architecture, variant }: OciPlatform): string {
  return `${os}/${architecture}${variant ? "/" + variant : ""}`;
}

/** The platform of containers on this machine: linux with this processor. */
export function hostPlatform(): OciPlatform {
  return platformOf(`linux/${Deno.build.arch}`);
}

/**
 * How well an image made for `offered` suits `wanted`: 0 is exact, more is worse, undefined is not at all.
 *
 * 32-bit ARM runs images of its own and lower versions (none stated is v7), amd64 likewise (none stated is v1);
 * arm64 without a variant is v8. Other variants must be equal.
 */
export function platformDistance(wanted: OciPlatform, offered: OciPlatform): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  const [want, offer] = [variantOf(wanted), variantOf(offered)];
  if (want === offer) return 0;
  if (wanted.architecture !== "arm" && wanted.architecture !== "amd64") return undefined;
  const distance = Number(want.slice(1)) - Number(offer.slice(1));
  return distance > 0 ? distance : undefined;
}

const USUAL_VARIANT: ReadonlyMap<string, string> = new Map([["arm", "v7"], ["arm64", "v8"], ["amd64", "v1"]]);

function variantOf({ architecture, variant }: OciPlatform): string {
  return variant || (USUAL_VARIANT.get(architecture) ?? "");
}
