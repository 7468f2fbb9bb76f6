/** Functions that are compiled with the file they are in. */
import MagicString from "magic-string";
import { parseAst } from "rollup/parseAst";
import { hasMembers, isAnything, isCount, isFlag, isJust, isListOf, isText } from "../lib/guard.ts";

/**
 * Puts parentheses around functions, which makes V8 compile them with the file, so that Deno's code cache keeps them.
 * Declarations become variables at the top of what they are in, where they were hoisted to before. Methods of objects
 * become properties. Those of classes move to the top of the class, before all fields: private ones become fields
 * themselves, the others are defined by static blocks, since V8 compiles both with the file. Constructors, accessors,
 * and methods that say `super` or have names that are computed stay as they are.
 *
 * @param ends offsets at which the functions end
 */
export function markFunctions(text: string, ends: ReadonlySet<number>): string {
  const body: readonly unknown[] = parseAst(text).body;
  const marked = new MagicString(text);

  const markDeclarations = (statements: readonly unknown[], top: number) => {
    for (const node of statements) {
      if (!isDeclaration(node) || !ends.has(node.end)) continue;
      const { start, end, id } = node;
      // Without a name of its own it is called as the variable, and may be assigned anew.
      marked.update(start, id.end, `\nvar ${id.name} = (${wordOf(node)}`).appendLeft(end, ");");
      if (start > top) marked.move(start, end, top);
    }
  };
  const markMethod = ({ start, end, value }: Method, before: string, after: string) =>
    marked.update(start, value.start, `${before}(${wordOf(value)}`).appendLeft(end, `)${after}`);
  const markMethodOfClass = (method: Method, top: number) => {
    const { start, end, key } = method;
    const name = text.slice(key.start, key.end);
    if (key.type === "PrivateIdentifier") {
      markMethod(method, `\n${method.static === true ? "static " : ""}${name} = `, ";");
    } else {
      const owner = method.static === true ? "this" : "this.prototype";
      markMethod(
        method,
        `\nstatic { Object.defineProperty(${owner}, "${name}", { value: { ${name}: `,
        ` }.${name}, writable: true, configurable: true }); }`,
      );
    }
    if (start > top) marked.move(start, end, top);
  };

  visit(body, undefined, (node, parent) => {
    const { start, end } = node;
    if (isBlock(node) && parent && isFunction(parent)) {
      markDeclarations(node.body, endOf(node.body, isDirective) ?? start + 1);
    } else if (isMethod(node)) {
      if (!ends.has(end) || saysSuper(node.value)) return;
      if (parent?.type === "ClassBody") markMethodOfClass(node, parent.start + 1);
      else markMethod(node, `${text.slice(node.key.start, node.key.end)}: `, "");
    } else if (ends.has(end) && isExpression(node, parent)) {
      marked.appendRight(start, "(").appendLeft(end, ")");
    }
  });
  markDeclarations(body, endOf(body, isImport) ?? 0);
  return marked.toString();
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

const node = { type: isText, start: isCount, end: isCount };
const isNode = hasMembers<Node>(node);

/** How a function comes about. */
interface FunctionNode extends Node {
  readonly async: boolean;
  readonly generator: boolean;
}

const functionNode = { ...node, async: isFlag, generator: isFlag };

/** The words that a function expression of the same kind begins with. */
function wordOf({ async, generator }: FunctionNode): string {
  return `${async ? "async " : ""}function${generator ? "*" : ""}`;
}

/** Whether a statement declares a function. */
const isDeclaration = hasMembers({
  ...functionNode,
  type: isJust("FunctionDeclaration"),
  id: hasMembers({ name: isText, end: isCount }),
});

/** A method of an object or a class that has a plain name. */
interface Method extends Node {
  readonly key: Node;
  readonly value: FunctionNode;
  /** Whether it is one of the class itself. */
  readonly static: unknown;
}

const hasMethod = hasMembers<
  Method & { readonly kind: unknown; readonly method: unknown; computed: boolean }
>({
  ...node,
  key: isNode,
  value: hasMembers<FunctionNode>(functionNode),
  static: isAnything,
  kind: isAnything,
  method: isAnything,
  computed: isFlag,
});

function isMethod(node: Node): node is Method {
  if (!hasMethod(node) || node.computed) return false;
  const { key } = node;
  if (node.type === "MethodDefinition") {
    return node.kind === "method" && /^(?:Private)?Identifier$/.test(key.type);
  }
  // `__proto__` as a property would be no method of that name.
  return node.type === "Property" && node.method === true && !isProto(key);
}

const isNamedProto = hasMembers({ name: isJust("__proto__") });
const isWrittenProto = hasMembers({ value: isJust("__proto__") });

function isProto(key: Node): boolean {
  return isNamedProto(key) || isWrittenProto(key);
}

const isBlock = hasMembers({ ...node, type: isJust("BlockStatement"), body: isListOf(isAnything) });
const isImport = hasMembers({ ...node, type: isJust("ImportDeclaration") });
const isDirective = hasMembers({ ...node, directive: isText });

function isFunction({ type }: Node): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type);
}

/** Where the last of such statements ends. */
function endOf(statements: readonly unknown[], is: (node: unknown) => node is Node): number | undefined {
  return statements.findLast(is)?.end;
}

function saysSuper(node: Node): boolean {
  let found = false;
  visit(node, undefined, ({ type }) => found ||= type === "Super");
  return found;
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
  if (parent?.type === "Property") {
    return !hasMethod(parent) || (parent.method !== true && parent.kind === "init");
  }
  return parent?.type !== "MethodDefinition";
}
