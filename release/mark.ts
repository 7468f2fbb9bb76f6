/** Functions that are compiled with the file they are in. */
import MagicString from "magic-string";
import { parseAst } from "rollup/parseAst";
import { hasMembers, isAnything, isCount, isFlag, isJust, isText } from "../lib/guard.ts";

/**
 * Puts parentheses around functions, which makes V8 compile them with the file, so that Deno's code cache keeps them. A
 * function declaration becomes a variable at the top of the file, where it was hoisted to before. Methods stay as they
 * are: nothing makes V8 compile them early.
 *
 * @param ends offsets at which the functions end
 */
export function markFunctions(text: string, ends: ReadonlySet<number>): string {
  const body: readonly unknown[] = parseAst(text).body;
  const marked = new MagicString(text);
  visit(body, undefined, (node, parent) => {
    if (ends.has(node.end) && isExpression(node, parent)) {
      marked.appendRight(node.start, "(").appendLeft(node.end, ")");
    }
  });
  const top = body.filter(isNode).findLast(({ type }) => type === "ImportDeclaration")?.end ?? 0;
  for (const node of body) {
    if (!isDeclaration(node) || !ends.has(node.end)) continue;
    const { start, end, id, async, generator } = node;
    const word = `${async ? "async " : ""}function${generator ? "*" : ""}`;
    // Without a name of its own it is called as the variable, and may be assigned anew.
    marked.update(start, id.end, `\nvar ${id.name} = (${word}`).appendLeft(end, ");");
    if (start > top) marked.move(start, end, top);
  }
  return marked.toString();
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  /** What a property is: `init`, `get` or `set`. */
  readonly kind: unknown;
  /** Whether a property is a method. */
  readonly method: unknown;
}

const isNode = hasMembers<Node>({
  type: isText,
  start: isCount,
  end: isCount,
  kind: isAnything,
  method: isAnything,
});

/** Whether a statement declares a function. */
const isDeclaration = hasMembers({
  type: isJust("FunctionDeclaration"),
  start: isCount,
  end: isCount,
  id: hasMembers({ name: isText, end: isCount }),
  async: isFlag,
  generator: isFlag,
});

/** Shows every node in a value, with the one that it is in. */
function visit(value: unknown, parent: Node | undefined, show: (node: Node, parent?: Node) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) show(value, parent);
  const inside = isNode(value) ? value : parent;
  for (const each of Object.values(value)) visit(each, inside, show);
}

/** Whether a node is a function that may stand in parentheses. */
function isExpression({ type }: Node, parent: Node | undefined): boolean {
  if (type !== "FunctionExpression") return type === "ArrowFunctionExpression";
  const accessor = parent?.type === "Property" && (parent.method === true || parent.kind !== "init");
  return parent?.type !== "MethodDefinition" && !accessor;
}
