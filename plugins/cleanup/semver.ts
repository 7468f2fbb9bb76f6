import { compare } from "@std/semver/compare";
import { format } from "@std/semver/format";
import { type SemVer, tryParse } from "@std/semver/try-parse";
import { definePlugin, type InventoryImage } from "../../core/contract/plugin.ts";
import { keep, nearly } from "../../core/contract/reasons.ts";
import { ordinal } from "./_images.ts";
import { countOption } from "../../core/contract/option_schemas.ts";

/** Keeps release lines: of each the newest versions, by version and not by date. */
export const keepSemver = definePlugin({
  name: "keep-semver",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** What a line is: `1.4` or `1`. */
      line: z.enum(["minor", "major"]).default("minor"),
      /** Versions kept of each line. */
      perLine: countOption(z).default(3),
      /** Newest lines kept; all when left out. */
      lines: countOption(z).optional(),
      /** Whether `1.4.0-rc.1` counts as a version. */
      prereleases: z.boolean().default(false),
    }),
  setup: ({ line, perLine, lines, prereleases }) => ({
    keep: ({ inventory }) => {
      const versions = inventory.images.flatMap((image) => {
        const version = parseVersion(image.value) ?? parseVersion(image.ownTag);
        return version && (prereleases || !version.prerelease?.length) ? [{ image, version }] : [];
      });
      return [...Map.groupBy(versions, ({ image }) => image.dimg).values()].flatMap((ofDimg) => {
        const sorted = ofDimg.toSorted((a, b) => compare(b.version, a.version));
        const byLine = Map.groupBy(sorted, ({ version }) => lineOf(version, line));
        return [...byLine].flatMap(([name, group], at) => {
          if (lines !== undefined && at >= lines) {
            const why = `line ${name} is the ${ordinal(at + 1)} newest, the rule keeps ${lines}`;
            return group.map(({ image }) => nearly(image, "old release line", why));
          }
          const kept = new Set(newestVersions(group, perLine));
          return group.map((version, rank) =>
            kept.has(version)
              ? keep(version.image, "release line", `among the newest ${perLine} of line ${name}`)
              : nearly(
                version.image,
                "enough newer ones",
                `${ordinal(rank + 1)} newest of line ${name}, the rule keeps ${perLine}`,
              )
          );
        });
      });
    },
  }),
});

interface Versioned {
  readonly image: InventoryImage;
  readonly version: SemVer;
}

/** Two tags of one version, with and without "v", count once. */
function newestVersions(sorted: readonly Versioned[], perLine: number): readonly Versioned[] {
  const names = new Set<string>();
  return sorted.filter(({ version }) => {
    const name = format(version);
    if (names.size >= perLine && !names.has(name)) return false;
    names.add(name);
    return true;
  });
}

/** A version without what stands after "+", for which tags have `_`: it does not count. */
function parseVersion(text: string): SemVer | undefined {
  return tryParse(text.replace(/[+_].*$/s, ""));
}

function lineOf({ major, minor }: SemVer, line: "minor" | "major"): string {
  return line === "major" ? String(major) : `${major}.${minor}`;
}
