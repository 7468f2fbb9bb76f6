import { type Alias, type Document, isAlias, type Node, visit } from "yaml";
import type { Source } from "./report.ts";

/** What the aliases of one document stand for: found in one walk, when the first of them is asked for. */
export class AliasTargets {
  #targets?: ReadonlyMap<Node, Node>;

  constructor(readonly document: Document) {}

  /** Some alias was asked for. */
  get used(): boolean {
    return this.#targets !== undefined;
  }

  /** The last node before the alias that has its anchor. */
  of(alias: Alias): Node | undefined {
    return (this.#targets ??= targetsIn(this.document)).get(alias);
  }
}

function targetsIn(document: Document): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target) targets.set(node, target);
      } else if (node.anchor) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

const known = new WeakMap<Source, ReadonlySet<string>>();

/** What looks like an anchor in a file, for hints. */
export function anchorsIn(source: Source): ReadonlySet<string> {
  const before = known.get(source);
  if (before) return before;
  const names = source.text.matchAll(/(?<![^\s[\]{},:?-])&([^\s,[\]{}]+)/g).map(([, name]) => name!);
  const anchors = new Set(names);
  known.set(source, anchors);
  return anchors;
}
