import { groupBy } from "../../lib/group_by.ts";
import { needsFirst } from "../../lib/needs_first.ts";
import { suggest } from "../../lib/suggest.ts";
import type { Draft } from "./image_rules.ts";
import { lineOf, nameOf, type Path, type Place, type Report } from "./report.ts";

/** Components of lower-case letters and digits, parted by `.`, `_`, `__` or dashes. */
const DIMG_NAME = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;

/** What one image needs of another. */
interface Link {
  readonly from: Draft;
  readonly at: Path;
  readonly kind: "dimg" | "artifact";
  readonly name: string;
}

/** Holds the images of a file against each other: names, what they stand on, what they import. */
export function checkReferences(drafts: readonly Draft[], report: Report): void {
  checkNames(drafts);
  const byKey = new Map<string, Draft>();
  for (const draft of drafts) if (!byKey.has(keyOf(draft))) byKey.set(keyOf(draft), draft);
  const links = linksOf(drafts);
  const isKnown = (link: Link) => byKey.has(`${link.kind}:${link.name}`);
  if (!report.incomplete) {
    for (const link of links) {
      if (report.more) break;
      if (!isKnown(link)) reportUnknown(link, drafts);
    }
  }
  const linksFrom = groupBy(links.filter(isKnown), ({ from }) => from);
  reportCycles(drafts, linksFrom, byKey);
  if (!report.incomplete && report.problems.length === 0) warnOfUnused(drafts, linksFrom, byKey);
}

/** Only what a dimg needs is built: the commands of other artifacts never run, whatever they test. */
function warnOfUnused(
  drafts: readonly Draft[],
  linksFrom: ReadonlyMap<Draft, readonly Link[]>,
  byKey: ReadonlyMap<string, Draft>,
): void {
  const dimgs = drafts.filter(({ rule }) => rule.kind === "dimg");
  const used = new Set(
    needsFirst(dimgs, (draft) => (linksFrom.get(draft) ?? []).map((link) => target(link, byKey))),
  );
  for (const draft of drafts) {
    const { rule, scope, at } = draft;
    if (rule.kind === "dimg" || used.has(draft)) continue;
    scope.warn(
      at,
      `no dimg needs artifact "${rule.name}", so it is never built: import from it, or take it out`,
    );
  }
}

function keyOf({ rule }: Draft): string {
  return `${rule.kind}:${rule.name}`;
}

function checkNames(drafts: readonly Draft[]): void {
  const first = new Map<string, Draft>();
  const dimgs = drafts.filter((draft) => draft.rule.kind === "dimg");
  for (const draft of drafts) {
    const { rule, scope, at } = draft;
    const before = first.get(keyOf(draft));
    if (!before) first.set(keyOf(draft), draft);
    else if (rule.name !== "" || rule.kind === "artifact") {
      const [a, b] = [before.scope.placeOf(before.at), scope.placeOf(at)];
      const same = a.source === b.source && a.offset === b.offset;
      scope.problem(
        at,
        `Two ${rule.kind}s are named "${rule.name}": ${both(a, b)}`,
        same && draft.isOneOfMany ? "Put ${{ matrix.NAME }} into the name" : "Rename one of them",
      );
    }
    if (rule.kind !== "dimg") continue;
    if (rule.name === "") {
      if (dimgs.length > 1) {
        scope.problem(
          at,
          `A dimg without a name must be the only one: this file has ${dimgs.length}`,
          "Give it a name",
        );
      }
    } else if (!DIMG_NAME.test(rule.name)) {
      const name = corrected(rule.name);
      scope.problem(
        at,
        `"${rule.name}" is not a name for a dimg: use lower-case letters and digits, parted by \`.\`, \`_\`, \`__\` or \`-\``,
        name === "" ? undefined : `Did you mean \`${name}\`?`,
      );
    }
  }
}

function both(a: Place, b: Place): string {
  if (a.source !== b.source) return `on line ${lineOf(a)} of ${a.source.file} and ${nameOf(b, a.source)}`;
  const [first, second] = [lineOf(a), lineOf(b)];
  return first === second ? `both on line ${first}` : `on lines ${first} and ${second}`;
}

function corrected(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase();
  return plain.replace(/[^a-z0-9._-]+/g, "-").replace(
    /[._-]{2,}/g,
    (run) => /^(?:__|-+)$/.test(run) ? run : "-",
  )
    .replace(/^[._-]+|[._-]+$/g, "");
}

function linksOf(drafts: readonly Draft[]): Link[] {
  const links: Link[] = [];
  for (const from of drafts) {
    const { base, imports } = from.rule;
    if (base.kind === "dimg" || base.kind === "artifact") {
      const at = [base.kind === "dimg" ? "fromDimg" : "fromDimgArtifact"];
      links.push({ from, at, kind: base.kind, name: base.name });
    }
    for (const [i, { artifact }] of imports.entries()) {
      const at = [...from.importsAt[i]!, "artifact"];
      if (artifact !== "") links.push({ from, at, kind: "artifact", name: artifact });
    }
  }
  return links;
}

function reportUnknown({ from, at, kind, name }: Link, drafts: readonly Draft[]): void {
  const { scope } = from;
  // A list of dimg names shares one document: say it once.
  if (scope.isBroken(at)) return;
  const names = (of: string) => drafts.filter((d) => d.rule.kind === of).map((d) => d.rule.name);
  const other = kind === "dimg" ? "artifact" : "dimg";
  const near = suggest(name, names(kind));
  let hint = names(kind).length === 0
    ? `This file has no ${kind}s`
    : `Known ${kind}s: ${names(kind).slice(0, 20).map((n) => n === "" ? "(nameless)" : n).join(", ")}`;
  if (near) hint = `Did you mean \`${near}\`?`;
  if (names(other).includes(name)) {
    hint = at[0] === "import"
      ? `\`${name}\` is a dimg; files can be imported from artifacts only`
      : `\`${name}\` is ${
        kind === "dimg" ? "an artifact: use `fromDimgArtifact`" : "a dimg: use `fromDimg`"
      }`;
  }
  scope.problem(at, `There is no ${kind} named "${name}"`, hint);
}

/** The image that a link leads to, which is known. */
function target({ kind, name }: Link, byKey: ReadonlyMap<string, Draft>): Draft {
  return byKey.get(`${kind}:${name}`)!;
}

function reportCycles(
  drafts: readonly Draft[],
  links: ReadonlyMap<Draft, readonly Link[]>,
  byKey: ReadonlyMap<string, Draft>,
): void {
  const linksFrom = (draft: Draft) => links.get(draft) ?? [];
  needsFirst(drafts, (draft) => linksFrom(draft).map((link) => target(link, byKey)), (way) => {
    reportCycle(way.map((draft, i) => {
      const next = way[(i + 1) % way.length];
      return linksFrom(draft).find((link) => target(link, byKey) === next)!;
    }));
  });
}

function reportCycle(cycle: readonly Link[]): void {
  const { from, at } = cycle[0]!;
  const label = ({ rule }: Draft) => rule.name === "" ? "the nameless dimg" : rule.name;
  if (cycle.length === 1) {
    from.scope.problem(at, `"${label(from)}" needs itself`, "Name another image");
    return;
  }
  const steps = cycle.map((link) => {
    const place = link.from.scope.placeOf(link.at, "key");
    return `${label(link.from)} (${nameOf(place, from.scope.root.source)})`;
  });
  from.scope.problem(
    at,
    `Images need each other in a circle: ${[...steps, label(from)].join(" -> ")}`,
    "Take one of these references out",
  );
}
