/** Which tools take part: those that were asked for, or all that are here. */
import { print } from "./report.ts";

/** What `--only` chooses from, with the programs that each needs; BuildKit once inside dockerd and once by itself. */
const needs = {
  "dapp": [],
  "dapp-buildkit": ["buildctl", "buildkitd", "runc"],
  "buildkit": ["docker", "dockerd"],
  "buildctl": ["buildctl", "buildkitd", "runc"],
  "buildah": ["buildah"],
  "legacy": ["docker", "dockerd"],
  "skopeo": ["skopeo"],
  "crane": ["crane"],
  "regctl": ["regctl"],
} as const satisfies Record<string, readonly string[]>;

/** Names of tools. */
export const toolNames: readonly string[] = Object.keys(needs);

/**
 * Looks for the `wanted` tools, gives those that take part and says which. What is not found is left out, unless it was asked for by name.
 *
 * @throws Error when a program of such a tool is missing
 */
export async function findPeers(
  wanted: readonly string[],
  { byName }: { byName: boolean },
): Promise<readonly string[]> {
  const present: string[] = [];
  const absent: string[] = [];
  for (const [tool, programs] of Object.entries(needs)) {
    if (!wanted.includes(tool)) continue;
    const missing: string[] = [];
    for (const program of programs) if (!await pathOf(program)) missing.push(program);
    if (byName && missing.length > 0) {
      throw new Error(
        `Cannot measure "${tool}": ${missing.join(", ")} not found (name the directory: --bin)`,
      );
    }
    (missing.length > 0 ? absent : present).push(tool);
  }
  print(`taking part: ${present.join(", ")}; not found: ${absent.join(", ") || "none"}\n`);
  return present;
}

/** Lets programs in these directories go before those of PATH. */
export function preferPrograms(dirs: readonly string[]): void {
  Deno.env.set("PATH", [...dirs, Deno.env.get("PATH") ?? ""].join(":"));
}

async function pathOf(program: string): Promise<string | undefined> {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${dir}/${program}`;
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return undefined;
}
