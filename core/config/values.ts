import type { Budget } from "./budget.ts";
import { expandExpressions } from "./expression.ts";
import { type DocumentScope, formatPath, lineOf, type Path } from "./report.ts";
import type { MapTree, TextTree, Tree } from "./tree.ts";
import { TEMPLATE, TEMPLATE_HINT } from "./yaml_errors.ts";

/** What reading values needs. */
export interface ReadContext {
  readonly scope: DocumentScope;
  readonly budget: Budget;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives every variable that was read. */
  readonly envUsed: Record<string, string | undefined>;
  /** No variable can be seen, so that none being set would be misleading. */
  readonly untrusted: boolean;
  /** The values of this image. Absent: they are not known, and what depends on them is undefined. */
  readonly matrix?: ReadonlyMap<string, string>;
}

/**
 * Turns a tree into plain data: maps, lists, `null`, and texts exactly as written.
 * A value that could not be read is reported and becomes undefined.
 * Below `plugins[*].options` and `cleanup.keep[*].options` numbers and booleans are what YAML says they are, because plugins want them so.
 */
export function readValue(tree: Tree, path: Path, ctx: ReadContext): unknown {
  if (!ctx.budget.take(1, tree.kind === "text" ? tree.text.length : 0, tree.place)) return null;
  switch (tree.kind) {
    case "map":
      return readMap(tree, path, ctx);
    case "list":
      return tree.items.map((item, i) => {
        ctx.scope.locate([...path, i], item.place);
        return readValue(item, [...path, i], ctx);
      });
    case "nothing":
      if (tree.broken) ctx.scope.markBroken(path);
      return null;
    case "text":
      return readText(tree, path, ctx);
  }
}

function readMap(tree: MapTree, path: Path, ctx: ReadContext): Record<string, unknown> {
  if (tree.broken && path.length > 0) ctx.scope.markBroken(path);
  const out: Record<string, unknown> = {};
  for (const [name, { key, value }] of tree.entries) {
    const at = [...path, name];
    ctx.scope.locate(at, value.place, key);
    out[name] = readValue(value, at, ctx);
  }
  return out;
}

/** Whether numbers and booleans at `path` are more than texts. */
export function isTyped(path: Path): boolean {
  return (path[0] === "plugins" && path[2] === "options") ||
    (path[0] === "cleanup" && path[1] === "keep" && path[3] === "options");
}

function readText(tree: TextTree, path: Path, ctx: ReadContext): unknown {
  const { text: written, place } = tree;
  warnOfFolded(tree, path, ctx);
  const typed = isTyped(path);
  if (!written.includes("${{")) {
    const shellOrPlugin = path[0] === "shell" || path[0] === "docker" || typed;
    if (!shellOrPlugin && TEMPLATE.test(written)) {
      ctx.scope.problem(path, `"${written.split("\n")[0]}" contains a template`, TEMPLATE_HINT);
    }
    return typed ? tree.typed : written;
  }
  const { matrix, budget } = ctx;
  if (matrix === undefined && /\$\{\{\s*matrix\./.test(written)) {
    ctx.scope.markBroken(path);
    return undefined;
  }
  const limit = budget.charactersLeft;
  const expanded = expandExpressions(written, ctx.env, { limit, ...(matrix && { matrix }) });
  budget.take(0, expanded.text.length, place);
  for (const name of expanded.names) {
    ctx.envUsed[name] = Object.hasOwn(ctx.env, name) ? ctx.env[name] : undefined;
  }
  warnOfSecrets(expanded.names, path, ctx);
  for (const failure of expanded.failures) {
    ctx.scope.markBroken(path);
    ctx.scope.report.problem({ ...place, offset: expressionOffset(tree, failure.occurrence) }, {
      message: ctx.untrusted && failure.missing
        ? `${failure.message} for a dappfile read with --untrusted`
        : failure.message,
      hint: failure.hint,
      path: formatPath(path),
    });
  }
  if (expanded.failures.length > 0) return undefined;
  return typed && tree.plain ? typedText(expanded.text) : expanded.text;
}

/** A list entry that is indented deeper than the one above is no entry: YAML joins it to the text there. */
function warnOfFolded({ plain, place, range: [start, end] }: TextTree, path: Path, ctx: ReadContext): void {
  if (!plain) return;
  const lines = place.source.text.slice(start, end).split("\n");
  const folded = lines.slice(1).findIndex((line) => /^\s*- /.test(line));
  if (folded < 0) return;
  ctx.scope.warn(
    path,
    `line ${lineOf({ ...place, offset: start }) + folded + 1}, \`${
      lines[folded + 1]!.trim()
    }\`, is read as a part of the text above, since it is indented deeper; ` +
      "give it the same indentation, or put quotes around the text",
  );
}

/** Names of variables that hold what nobody else may see. */
const SECRET_LOOKING =
  /(?:^|_)(?:TOKEN|SECRETS?|PASSWORD|PASSWD|PASS|PASSPHRASE|PWD|CREDENTIALS?|AUTH|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SSH_?KEY)(?:_|$)/i;

/** What stands in commands and instructions is signed, printed and kept: that is no place for a secret. */
function warnOfSecrets(names: readonly string[], path: Path, ctx: ReadContext): void {
  if (path[0] !== "shell" && path[0] !== "docker") return;
  const found = names.find((name) => SECRET_LOOKING.test(name) && !/^(?:PWD|OLDPWD)$/.test(name));
  if (found === undefined) return;
  const where = path[0] === "shell" ? "the commands, which are printed and kept" : "the image";
  ctx.scope.warn(
    path,
    `the value of ${found}, which looks like a secret, becomes a part of ${where}; declare it under \`secrets\` and ` +
      "read it from /run/secrets",
  );
}

/** What an unquoted text means in YAML (1.2 core schema): a number, a boolean, or itself. */
function typedText(text: string): string | number | boolean {
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}

function expressionOffset({ place, range: [start, end] }: TextTree, occurrence: number): number {
  const { text } = place.source;
  let at = text.indexOf("${{", start);
  for (let i = 0; i < occurrence && at >= 0; i++) at = text.indexOf("${{", at + 3);
  return at < 0 || at >= end ? start : at;
}
