import type { Budget } from "./budget.ts";
import type { Report } from "./report.ts";
import type { MapTree, Tree } from "./tree.ts";

/** The values of one image of a matrix. */
export type Combination = ReadonlyMap<string, string>;

const NAME = /^[A-Za-z_]\w*$/;
/** A value is a part of a name or a path. */
const LONGEST = 1024;

/**
 * The images that `matrix` makes of a document: every combination of its values, the last key running fastest. Several
 * maps in a list make their combinations one after another. Without a matrix there is one image, and one without values.
 */
export function combinationsOf(document: MapTree, report: Report, budget: Budget): readonly Combination[] {
  const { value } = document.entries.get("matrix") ?? {};
  if (value === undefined || value.kind === "nothing") return [new Map()];
  const maps = value.kind === "list" ? value.items : [value];
  const axes = maps.map((map) => axesOf(map, report));
  if (maps.length === 0) {
    report.problem(value.place, {
      message: "The matrix is empty",
      hint: "Write `matrix: { NAME: [VALUE, VALUE] }`",
      path: "matrix",
    });
  }
  if (axes.includes(undefined) || maps.length === 0) return [];
  const known = axes.filter((each) => each !== undefined);
  const count = known.reduce(
    (sum, each) => sum + each.reduce((product, { values }) => product * values.length, 1),
    0,
  );
  return budget.takeImages(count, value.place) ? known.flatMap(combine) : [];
}

interface Axis {
  readonly name: string;
  readonly values: readonly string[];
}

/** The keys of a map of the matrix with their values; undefined when something is wrong, which is reported. */
function axesOf(map: Tree, report: Report): readonly Axis[] | undefined {
  let right = true;
  const fail = ({ place }: Pick<Tree, "place">, message: string, hint: string) => {
    right = false;
    report.problem(place, { message, hint, path: "matrix" });
  };
  if (map.kind !== "map") {
    fail(map, "The matrix is no map", "Write `matrix: { NAME: [VALUE, VALUE] }`");
    return undefined;
  }
  const axes = [...map.entries].map(([name, { key, value }]): Axis => {
    if (!NAME.test(name)) {
      fail({ place: key }, `"${name}" is not a name for a value`, "Use letters, digits and `_`");
    }
    const items = value.kind === "list" ? value.items : [value];
    if (items.length === 0) fail(value, `"${name}" has no values`, "Give it at least one");
    return {
      name,
      values: items.map((item) => {
        const wrong = whyNoValue(item);
        if (wrong) fail(item, `A value of "${name}" ${wrong.why}`, wrong.hint);
        return item.kind === "text" ? item.text : "";
      }),
    };
  });
  return right ? axes : undefined;
}

function whyNoValue(item: Tree): { why: string; hint: string } | undefined {
  if (item.kind === "nothing") return { why: "is empty", hint: 'Write "" for the empty text' };
  if (item.kind !== "text") return { why: `is a ${item.kind}`, hint: "Values are texts" };
  if (item.text.includes("${{") || item.text.endsWith("$")) {
    return { why: "has an expression", hint: "Values are plain texts: use expressions where they are used" };
  }
  return item.text.length > LONGEST
    ? { why: `has more than ${LONGEST} characters`, hint: "Use shorter values" }
    : undefined;
}

function combine(axes: readonly Axis[]): readonly Combination[] {
  return axes.reduce<readonly Combination[]>(
    (all, { name, values }) => all.flatMap((one) => values.map((value) => new Map([...one, [name, value]]))),
    [new Map()],
  );
}
