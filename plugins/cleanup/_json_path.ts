import { unreachable } from "../../lib/unreachable.ts";

/** A path into a JSON document, as far as Kubernetes users need it: `spec.containers[*].image`, `..image`, `['a.b'][0]`. */
export type JsonPath = readonly JsonStep[];

type JsonStep =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "each" }
  | { readonly kind: "anywhere"; readonly name: string };

const STEP =
  /^(?:\.\.(?<deep>[A-Za-z_][\w-]*)|\.?\[\*\]|\.\*|\.?\[(?<index>\d+)\]|\.?\['(?<quoted>[^']+)'\]|\.?(?<name>[A-Za-z_][\w-]*))/;

/** Reads a path, with or without `$`, `{` and `}` around it. @throws {SyntaxError} */
export function parseJsonPath(text: string): JsonPath {
  let rest = text.trim().replace(/^\{(.*)\}$/, "$1").replace(/^\$/, "");
  const steps: JsonStep[] = [];
  while (rest !== "") {
    const match = STEP.exec(rest);
    if (!match) throw new SyntaxError(`Cannot read JSON path "${text}": "${rest}" is no step`);
    const { deep, index, quoted, name } = match.groups!;
    steps.push(
      deep !== undefined
        ? { kind: "anywhere", name: deep }
        : index ?? quoted ?? name
        ? { kind: "name", name: (index ?? quoted ?? name)! }
        : { kind: "each" },
    );
    rest = rest.slice(match[0].length);
  }
  if (steps.length === 0) throw new SyntaxError(`Cannot read JSON path "${text}": it is empty`);
  return steps;
}

/** Every text at the path. */
export function textsAt(document: unknown, path: JsonPath): readonly string[] {
  let at: unknown[] = [document];
  for (const step of path) {
    at = at.flatMap((value) => below(value, step));
  }
  return at.filter((value) => typeof value === "string");
}

function below(value: unknown, step: JsonStep): readonly unknown[] {
  switch (step.kind) {
    case "each":
      return membersOf(value);
    case "anywhere":
      return anywhere(value, step.name);
    case "name":
      return member(value, step.name);
    default:
      return unreachable(step);
  }
}

function membersOf(value: unknown): readonly unknown[] {
  return typeof value === "object" && value !== null ? Object.values(value) : [];
}

function member(value: unknown, name: string): readonly unknown[] {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? [(value as Record<string, unknown>)[name]]
    : [];
}

function anywhere(value: unknown, name: string): readonly unknown[] {
  return [...member(value, name), ...membersOf(value).flatMap((each) => anywhere(each, name))];
}
