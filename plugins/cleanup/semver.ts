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
        const version = parseVersion(image.value) ?? parseVersion(image.tag);
        return version && (prereleases || version.pre.length === 0) ? [{ image, version }] : [];
      });
      return [...Map.groupBy(versions, ({ image }) => image.dimg).values()].flatMap((ofDimg) => {
        const sorted = ofDimg.toSorted((a, b) => compareVersions(b.version, a.version));
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

interface Version {
  readonly core: readonly [number, number, number];
  /** Pre-release identifiers. */
  readonly pre: readonly string[];
}

interface Versioned {
  readonly image: InventoryImage;
  readonly version: Version;
}

/** Two tags of one version, with and without "v", count once. */
function newestVersions(sorted: readonly Versioned[], perLine: number): readonly Versioned[] {
  const names = new Set<string>();
  return sorted.filter(({ version: { core, pre } }) => {
    const name = JSON.stringify([core, pre]);
    if (names.size >= perLine && !names.has(name)) return false;
    names.add(name);
    return true;
  });
}

/** A version as semver.org 2.0.0 has it, with an optional "v"; `_` stands for "+", which no tag can have. */
function parseVersion(text: string): Version | undefined {
  const number = "(0|[1-9]\\d{0,8})";
  const match = new RegExp(`^v?${number}\\.${number}\\.${number}(?:-([0-9A-Za-z.-]+))?(?:[+_].*)?$`).exec(
    text,
  );
  if (!match) return undefined;
  return {
    core: [Number(match[1]), Number(match[2]), Number(match[3])],
    pre: match[4]?.split(".") ?? [],
  };
}

function lineOf({ core }: Version, line: "minor" | "major"): string {
  return line === "major" ? String(core[0]) : `${core[0]}.${core[1]}`;
}

/** semver.org 2.0.0, item 11. */
function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < 3; i++) if (a.core[i] !== b.core[i]) return a.core[i]! - b.core[i]!;
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (let i = 0; i < Math.max(a.pre.length, b.pre.length); i++) {
    const [x, y] = [a.pre[i], b.pre[i]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const [n, m] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (n && m) return Number(x) - Number(y);
    return n !== m ? (n ? -1 : 1) : x < y ? -1 : 1;
  }
  return 0;
}
