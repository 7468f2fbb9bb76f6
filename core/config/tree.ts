import {
  type Alias,
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
import { type AliasTargets, anchorsIn } from "./aliases.ts";
import { formatPath, type Path, type Place, type Report, type Source } from "./report.ts";
import { TEMPLATE, TEMPLATE_HINT } from "./yaml_errors.ts";
import { TooLarge } from "./yaml_stream.ts";

/** A YAML value with its place: aliases and merge keys are resolved, expressions are not. */
export type Tree = MapTree | ListTree | TextTree | NothingTree;

/** A map, with the keys in the order they were written. */
export interface MapTree {
  readonly kind: "map";
  readonly place: Place;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Something in it was reported. */
  readonly broken?: true;
}

/** A key with its value. */
export interface Entry {
  readonly key: Place;
  readonly value: Tree;
}

/** A list. */
export interface ListTree {
  readonly kind: "list";
  readonly place: Place;
  readonly items: readonly Tree[];
}

/** A text, number or boolean. */
export interface TextTree {
  readonly kind: "text";
  readonly place: Place;
  /** Exactly as written, so that `1.10` stays `1.10`. */
  readonly text: string;
  /** What YAML says it is. */
  readonly typed: string | number | boolean;
  /** Written without quotes. */
  readonly plain: boolean;
  /** Where it stands in its file: from, to. */
  readonly range: readonly [number, number];
}

/** `~`, or no value at all. */
export interface NothingTree {
  readonly kind: "nothing";
  readonly place: Place;
  /** It could not be read, which was reported. */
  readonly broken?: true;
}

/** What reading a document needs. */
export interface TreeContext {
  readonly report: Report;
  readonly source: Source;
  /** 1-based number of the document in its file. */
  readonly number: number;
  /** Offset of the document. */
  readonly offset: number;
  readonly aliases: AliasTargets;
  /** Values read so far. */
  count: number;
}

/** Values that a document may have, with what its aliases stand for. */
const MAX_VALUES = 100_000;
/** Values that all documents may have together. */
const MAX_ALL = 250_000;

/**
 * Counts values. False when a document has too many, which is reported once.
 *
 * @throws {TooLarge} when all documents together have too many: nothing after that is worth reading
 */
function take(count: number, place: Place, path: Path, ctx: TreeContext): boolean {
  const { report } = ctx;
  const own = ctx.count;
  ctx.count += count;
  report.values += count;
  const hint = ctx.aliases.used ? "Use fewer aliases" : "Leave out what is not needed";
  if (ctx.count > MAX_VALUES) {
    if (own <= MAX_VALUES) {
      const message = `${
        ctx.aliases.used ? "Anchors expand to" : "The document has"
      } more than ${MAX_VALUES} values`;
      report.problem(place, { message, hint, path: formatPath(path) });
    }
    return false;
  }
  if (report.values <= MAX_ALL) return true;
  throw new TooLarge(place.offset, `All documents together have more than ${MAX_ALL} values`, hint);
}

/** Reads a document. What cannot be read is reported. */
export function readTree(
  node: unknown,
  path: Path,
  ctx: TreeContext,
  within: readonly Node[] = [],
): Tree {
  const place = placeAt(startOf(node) ?? ctx.offset, ctx);
  if (!take(1, place, path, ctx)) return { kind: "nothing", place, broken: true };
  if (isAlias(node)) {
    const target = resolveAlias(node, ctx, within);
    if (!target) return { kind: "nothing", place, broken: true };
    return { ...readTree(target, path, ctx, [...within, target]), place };
  }
  if (isMap(node)) return readMap(node, path, ctx, within);
  if (isSeq(node)) return readList(node, path, ctx, within);
  if (!isScalar(node) || node.value === null) return { kind: "nothing", place };
  return readText(node, place);
}

function readText(node: Scalar, place: Place): Tree {
  const text = typeof node.value === "string" ? node.value : node.source ?? String(node.value);
  const { value } = node;
  const typed = typeof value === "number" || typeof value === "boolean" ? value : text;
  const range = node.range ?? [place.offset, place.offset];
  return { kind: "text", place, text, typed, plain: node.type === "PLAIN", range: [range[0], range[1]] };
}

function readList(node: YAMLSeq, path: Path, ctx: TreeContext, within: readonly Node[]): ListTree {
  const start = startOf(node) ?? ctx.offset;
  const items = node.items.map((item, i) => {
    const read = readTree(item, [...path, i], ctx, within);
    return startOf(item) === undefined ? { ...read, place: placeAt(start, ctx) } : read;
  });
  return { kind: "list", place: placeAt(start, ctx), items };
}

/** A pair as it stands in a document. */
interface Pair {
  readonly key: number;
  readonly value: unknown;
}

function readMap(node: YAMLMap, path: Path, ctx: TreeContext, within: readonly Node[]): MapTree {
  const entries = new Map<string, Entry>();
  const state = { broken: false };
  for (const [name, { key, value }] of pairsOf(node, ctx, within, state)) {
    const read = readTree(value, [...path, name], ctx, within);
    const at = placeAt(key, ctx);
    const empty = !isNode(value) || (isScalar(value) && value.value === null);
    entries.set(name, { key: at, value: empty ? { ...read, place: at } : read });
  }
  const place = placeAt(startOf(node) ?? ctx.offset, ctx);
  return { kind: "map", place, entries, ...(state.broken && { broken: true }) };
}

/** The pairs of a map; its own keys win over merged ones, earlier merged maps over later ones. */
function pairsOf(
  node: YAMLMap,
  ctx: TreeContext,
  within: readonly Node[],
  state: { broken: boolean },
): Map<string, Pair> {
  const own = new Map<string, Pair>();
  const merged: Map<string, Pair>[] = [];
  for (const pair of node.items) {
    const key = startOf(pair.key) ?? startOf(node) ?? ctx.offset;
    const fail = (message: string, hint?: string) => {
      state.broken = true;
      ctx.report.problem(placeAt(key, ctx), { message, ...(hint && { hint }) });
    };
    if (!isScalar(pair.key) || pair.key.value === null) {
      const template = TEMPLATE.test(ctx.source.text.slice(key - 2, key + 20));
      fail(
        "A key must be a plain text",
        template ? TEMPLATE_HINT : "Write `key: value`; quote texts that contain { } [ ]",
      );
      continue;
    }
    const name = pair.key.source ?? String(pair.key.value);
    if (name === "<<" && pair.key.type === "PLAIN") {
      merged.push(...mergedMaps(pair.value, ctx, within, state));
      continue;
    }
    const before = own.get(name);
    if (before) {
      const line = ctx.source.lines.linePos(before.key).line;
      fail(
        `Key "${name}" is given twice: first on line ${line}`,
        "Keep one of them, or put both contents under one key",
      );
    } else if (name.includes("${{")) {
      fail("Expressions work in values only: this one is in a key", "Write the key in full");
    } else if (name === "__proto__") {
      fail('Key "__proto__" cannot be used');
    } else own.set(name, { key, value: pair.value });
  }
  for (const pairs of merged) {
    for (const [name, pair] of pairs) if (!own.has(name)) own.set(name, pair);
  }
  return own;
}

function mergedMaps(
  value: unknown,
  ctx: TreeContext,
  within: readonly Node[],
  state: { broken: boolean },
): Map<string, Pair>[] {
  if (isSeq(value)) return value.items.flatMap((item) => mergedMaps(item, ctx, within, state));
  const target = isAlias(value) ? resolveAlias(value, ctx, within) : value;
  if (isMap(target)) {
    const place = placeAt(startOf(value) ?? ctx.offset, ctx);
    // What is merged expands as aliases do, before any of it is read.
    if (take(1 + target.items.length, place, [], ctx)) {
      const pairs = pairsOf(target, ctx, [...within, target], state);
      if (take(pairs.size, place, [], ctx)) return [pairs];
    }
    state.broken = true;
    return [];
  }
  state.broken = true;
  if (target !== undefined) {
    ctx.report.problem(placeAt(startOf(value) ?? ctx.offset, ctx), {
      message: "`<<` merges maps: this is none",
      hint: "Write `<<: *name`, where `&name` marks a map",
    });
  }
  return [];
}

function resolveAlias(node: Alias, ctx: TreeContext, within: readonly Node[]): Node | undefined {
  const target = ctx.aliases.of(node);
  if (target && !within.includes(target) && !encloses(target, node)) return target;
  const fail = (message: string, hint: string) =>
    ctx.report.problem(placeAt(startOf(node) ?? ctx.offset, ctx), { message, hint });
  const name = node.source;
  if (target) fail(`Alias \`*${name}\` stands inside what it repeats`, "Use another anchor");
  else if (/[*/.]/.test(name)) {
    fail(`\`*${name}\` is read as a YAML alias`, `Put quotes around patterns that start with *: "*${name}"`);
  } else if (anchorsIn(ctx.source).has(name)) {
    fail(
      `Anchor \`&${name}\` belongs to another document or comes later`,
      "Define an anchor before its use, in the same document; documents share through `extends`",
    );
  } else {
    const near = suggest(name, anchorsIn(ctx.source));
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

function placeAt(offset: number, { source, number }: TreeContext): Place {
  return { source, offset, document: number };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
