import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { suggest } from "../../lib/suggest.ts";
import { expandExpressions } from "./expression.ts";
import { type DocumentScope, formatPath, type Path } from "./report.ts";
import { TEMPLATE, TEMPLATE_HINT } from "./yaml_errors.ts";

/** What reading values needs. */
export interface ReadContext {
  readonly scope: DocumentScope;
  readonly document: Document;
  /** The whole file. */
  readonly text: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives every variable that was read. */
  readonly envUsed: Record<string, string | undefined>;
  /** No variable can be seen, so that none being set would be misleading. */
  readonly untrusted: boolean;
  /** Anchors of the other documents, for a hint. */
  readonly anchors: ReadonlySet<string>;
  /** Values read so far: bounds what aliases may expand to. */
  count: number;
}

/** A key of a map with its value, which may come from a merged map. */
interface Entry {
  readonly name: string;
  readonly key: number;
  readonly value: unknown;
}

const MAX_VALUES = 100_000;

/**
 * Turns a YAML node into plain data: maps, lists, `null`, and texts exactly as written, so that `1.10` stays `1.10`.
 * A value that could not be read is reported and becomes undefined.
 * Below `plugins[*].options` and `cleanup.keep[*].options` numbers and booleans are what YAML says they are, because plugins want them so.
 */
export function readValue(
  node: unknown,
  path: Path,
  ctx: ReadContext,
  within: readonly Node[] = [],
): unknown {
  if (++ctx.count > MAX_VALUES) {
    if (ctx.count === MAX_VALUES + 1) {
      ctx.scope.problem(path, `Anchors expand to more than ${MAX_VALUES} values`, "Use fewer aliases");
    }
    return null;
  }
  if (isAlias(node)) {
    const target = resolveAlias(node, path, ctx, within);
    return target ? readValue(target, path, ctx, [...within, target]) : null;
  }
  if (isMap(node)) return readMap(node, path, ctx, within);
  if (isSeq(node)) return readList(node, path, ctx, within);
  return isScalar(node) ? readScalar(node, path, ctx) : null;
}

function readList(node: YAMLSeq, path: Path, ctx: ReadContext, within: readonly Node[]): unknown[] {
  return node.items.map((item, i) => {
    const at = [...path, i];
    ctx.scope.locate(at, startOf(item) ?? startOf(node) ?? ctx.scope.offset);
    return readValue(item, at, ctx, within);
  });
}

function readMap(
  node: YAMLMap,
  path: Path,
  ctx: ReadContext,
  within: readonly Node[],
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const { name, key, value } of entriesOf(node, path, ctx, within).values()) {
    const at = [...path, name];
    const empty = !isNode(value) || (isScalar(value) && value.value === null);
    ctx.scope.locate(at, empty ? key : startOf(value) ?? key, key);
    out[name] = readValue(value, at, ctx, within);
  }
  return out;
}

/** The pairs of a map; its own keys win over merged ones, earlier merged maps over later ones. */
function entriesOf(
  node: YAMLMap,
  path: Path,
  ctx: ReadContext,
  within: readonly Node[],
): Map<string, Entry> {
  const own = new Map<string, Entry>();
  const merged: Map<string, Entry>[] = [];
  for (const pair of node.items) {
    const key = startOf(pair.key) ?? startOf(node) ?? ctx.scope.offset;
    const fail = (message: string, hint?: string) => {
      if (path.length > 0) ctx.scope.markBroken(path);
      ctx.scope.report.problem(key, { message, document: ctx.scope.number, ...(hint && { hint }) });
    };
    if (!isScalar(pair.key) || pair.key.value === null) {
      const template = TEMPLATE.test(ctx.text.slice(key - 2, key + 20));
      fail(
        "A key must be a plain text",
        template ? TEMPLATE_HINT : "Write `key: value`; quote texts that contain { } [ ]",
      );
      continue;
    }
    const name = pair.key.source ?? String(pair.key.value);
    if (name === "<<" && pair.key.type === "PLAIN") {
      merged.push(...mergedMaps(pair.value, path, ctx, within));
      continue;
    }
    const before = own.get(name);
    if (before) {
      fail(
        `Key "${name}" is given twice: first on line ${ctx.scope.report.line(before.key)}`,
        "Keep one of them, or put both contents under one key",
      );
    } else if (name.includes("${{")) {
      fail("Expressions work in values only: this one is in a key", "Write the key in full");
    } else if (name === "__proto__") {
      fail('Key "__proto__" cannot be used');
    } else own.set(name, { name, key, value: pair.value });
  }
  for (const entries of merged) {
    for (const [name, entry] of entries) if (!own.has(name)) own.set(name, entry);
  }
  return own;
}

function mergedMaps(
  value: unknown,
  path: Path,
  ctx: ReadContext,
  within: readonly Node[],
): Map<string, Entry>[] {
  if (isSeq(value)) return value.items.flatMap((item) => mergedMaps(item, path, ctx, within));
  const target = isAlias(value) ? resolveAlias(value, path, ctx, within) : value;
  if (isMap(target)) return [entriesOf(target, path, ctx, [...within, target])];
  if (target !== undefined) {
    ctx.scope.report.problem(startOf(value) ?? ctx.scope.offset, {
      message: "`<<` merges maps: this is none",
      hint: "Write `<<: *name`, where `&name` marks a map",
      document: ctx.scope.number,
    });
  }
  return [];
}

function resolveAlias(
  node: Node & { source: string; resolve(document: Document): Node | undefined },
  path: Path,
  ctx: ReadContext,
  within: readonly Node[],
): Node | undefined {
  const target = node.resolve(ctx.document);
  if (target && !within.includes(target) && !encloses(target, node)) return target;
  const fail = (message: string, hint: string) => {
    ctx.scope.markBroken(path);
    ctx.scope.report.problem(startOf(node) ?? ctx.scope.offset, {
      message,
      hint,
      document: ctx.scope.number,
    });
  };
  const name = node.source;
  if (target) fail(`Alias \`*${name}\` stands inside what it repeats`, "Use another anchor");
  else if (/[*/.]/.test(name)) {
    fail(`\`*${name}\` is read as a YAML alias`, `Put quotes around patterns that start with *: "*${name}"`);
  } else if (ctx.anchors.has(name)) {
    fail(
      `Anchor \`&${name}\` belongs to another document or comes later`,
      "Define an anchor before its use, in the same document",
    );
  } else {
    const near = suggest(name, ctx.anchors);
    fail(
      `There is no anchor \`&${name}\``,
      near ? `Did you mean \`*${near}\`?` : "Put quotes around a text that starts with *",
    );
  }
  return undefined;
}

function encloses(target: Node, node: Node): boolean {
  return !!target.range && !!node.range && target.range[0] <= node.range[0] &&
    node.range[1] <= target.range[1];
}

function readScalar(node: Scalar, path: Path, ctx: ReadContext): unknown {
  if (node.value === null) return null;
  const written = typeof node.value === "string" ? node.value : node.source ?? String(node.value);
  warnOfFolded(node, path, ctx);
  const typed = (path[0] === "plugins" && path[2] === "options") ||
    (path[0] === "cleanup" && path[1] === "keep" && path[3] === "options");
  if (!written.includes("${{")) {
    const shellOrPlugin = path[0] === "shell" || path[0] === "docker" || typed;
    if (!shellOrPlugin && TEMPLATE.test(written)) {
      ctx.scope.problem(path, `"${written.split("\n")[0]}" contains a template`, TEMPLATE_HINT);
    }
    return typed ? node.value : written;
  }
  const expanded = expandExpressions(written, ctx.env);
  for (const name of expanded.names) {
    ctx.envUsed[name] = Object.hasOwn(ctx.env, name) ? ctx.env[name] : undefined;
  }
  warnOfSecrets(expanded.names, path, ctx);
  for (const failure of expanded.failures) {
    ctx.scope.markBroken(path);
    ctx.scope.report.problem(expressionOffset(node, failure.occurrence, ctx), {
      message: ctx.untrusted && failure.missing
        ? `${failure.message} for a dappfile read with --untrusted`
        : failure.message,
      hint: failure.hint,
      document: ctx.scope.number,
      path: formatPath(path),
    });
  }
  if (expanded.failures.length > 0) return undefined;
  return typed && node.type === "PLAIN" ? typedText(expanded.text) : expanded.text;
}

/** A list entry that is indented deeper than the one above is no entry: YAML joins it to the text there. */
function warnOfFolded(node: Scalar, path: Path, ctx: ReadContext): void {
  if (node.type !== "PLAIN" || !node.range) return;
  const lines = ctx.text.slice(node.range[0], node.range[1]).split("\n");
  const folded = lines.slice(1).findIndex((line) => /^\s*- /.test(line));
  if (folded < 0) return;
  const line = ctx.scope.report.line(node.range[0]) + folded + 1;
  ctx.scope.warn(
    path,
    `line ${line}, \`${
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

function expressionOffset(node: Scalar, occurrence: number, ctx: ReadContext): number {
  const [start, end] = node.range ?? [ctx.scope.offset, ctx.scope.offset];
  let at = ctx.text.indexOf("${{", start);
  for (let i = 0; i < occurrence && at >= 0; i++) at = ctx.text.indexOf("${{", at + 3);
  return at < 0 || at >= end ? start : at;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
