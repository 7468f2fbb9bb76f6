/** Functions that are compiled with the file they are in. */
import { parseAst } from "rollup/parseAst";
import { isCount, isObject, isText } from "../lib/guard.ts";

const FUNCTION = /^(async\s+)?function(\s*\*)?\s*([\w$]+)/;

/**
 * Puts parentheses around functions, which makes V8 compile them with the file, so that Deno's code cache keeps them. A
 * function declaration becomes a variable at the top of the file, where it was hoisted to before. Methods stay as they
 * are: nothing makes V8 compile them early.
 *
 * @param ends offsets at which the functions end
 */
export function markFunctions(text: string, ends: ReadonlySet<number>): string {
  const program = parseAst(text);
  const opening: number[] = [];
  const closing: number[] = [];
  visit(program, undefined, (node, parent) => {
    if (!ends.has(node.end) || !isExpression(node, parent)) return;
    opening.push(node.start);
    closing.push(node.end);
  });
  opening.sort((a, b) => a - b);
  closing.sort((a, b) => a - b);
  /** The text between two offsets with the parentheses that belong into it. */
  const part = (from: number, to: number): string => {
    const marks = [
      ...closing.filter((at) => from < at && at <= to).map((at) => ({ at, mark: ")" })),
      ...opening.filter((at) => from <= at && at < to).map((at) => ({ at, mark: "(" })),
    ].sort((a, b) => a.at - b.at);
    let out = "";
    let done = from;
    for (const { at, mark } of marks) {
      out += text.slice(done, at) + mark;
      done = at;
    }
    return out + text.slice(done, to);
  };
  let top = 0;
  let head = "";
  let rest = "";
  let done = 0;
  const body: readonly unknown[] = program.body;
  for (const node of body.filter(isNode)) {
    if (node.type === "ImportDeclaration") {
      top = done = node.end;
    } else if (node.type === "FunctionDeclaration" && ends.has(node.end)) {
      const [start = "", async = "", star = "", name] = FUNCTION.exec(text.slice(node.start, node.end)) ?? [];
      // Without a name of its own it is called as the variable, and may be assigned anew.
      head += `var ${name} = (${async}function${star}${part(node.start + start.length, node.end)});\n`;
      rest += part(done, node.start);
      done = node.end;
    }
  }
  return text.slice(0, top) + (head && `\n${head}`) + rest + part(done, text.length);
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  /** What a property is: `init`, `get` or `set`. */
  readonly kind?: unknown;
  /** Whether a property is a method. */
  readonly method?: unknown;
}

function isNode(value: unknown): value is Node {
  return isObject(value) && isText(value.type) && isCount(value.start) && isCount(value.end);
}

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
