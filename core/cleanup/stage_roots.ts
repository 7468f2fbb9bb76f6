import type { Inventory, InventoryImage, InventoryStage } from "../contract/cleanup.ts";

/** Why a stage is needed. */
export interface Need {
  readonly rule: string;
  readonly why: string;
  /** From what decides down to the stage. */
  readonly chain: readonly string[];
  /** Only the stage cache needs it, so a budget may override it. */
  readonly evictable: boolean;
}

/** Signature -> the first reason found. Reasons that are not evictable win over others. */
export class Needs {
  readonly #needs = new Map<string, Need>();
  readonly #stages: ReadonlyMap<string, InventoryStage>;

  constructor(stages: readonly InventoryStage[]) {
    this.#stages = new Map(stages.map((stage) => [stage.signature, stage]));
  }

  get(signature: string): Need | undefined {
    return this.#needs.get(signature);
  }

  /** Adds a stage and every stage before it. */
  add(signature: string, need: Need): void {
    let chain = need.chain;
    for (let at: string | undefined = signature; at !== undefined;) {
      const known = this.#needs.get(at);
      if (known && (!known.evictable || need.evictable)) {
        // Whoever put it there went on to the stages before it, with a reason at least as strong.
        return;
      }
      const stage: InventoryStage | undefined = this.#stages.get(at);
      if (at !== signature) chain = [...chain, `stage ${stage?.stage || "?"} ${short(at)}`];
      this.#needs.set(at, { ...need, chain });
      at = stage?.previous;
    }
  }

  /** Adds everything that an image says it is made of; `path` is what the image itself is kept for. */
  addImage(image: InventoryImage, path: readonly string[]): void {
    const why = `${image.reference} stands on it`;
    const rule = "used by an image";
    for (const part of image.chain) {
      const title = part.image.startsWith("artifact:")
        ? `artifact ${part.image.slice(9)}`
        : `dimg ${part.image}`;
      // From the last stage down, so that the chain shows what a stage is for.
      const down = part.stages.toReversed();
      for (const [i, { signature }] of down.entries()) {
        if (this.#needs.has(signature) && !this.#lacksPrevious(signature)) continue;
        const stages = down.slice(0, i + 1).map(({ stage, signature }) =>
          `stage ${stage} ${short(signature)}`
        );
        const need = { rule, why, chain: [...path, title, ...stages], evictable: true };
        if (!this.#needs.has(signature)) this.#needs.set(signature, need);
        this.#addPrevious(signature, need);
      }
    }
    if (image.signature !== "" && !this.#needs.has(image.signature)) {
      const chain = [...path, `stage ${short(image.signature)}`];
      this.add(image.signature, { rule, why, chain, evictable: true });
    }
  }

  #lacksPrevious(signature: string): boolean {
    const previous = this.#stages.get(signature)?.previous;
    return previous !== undefined && !this.#needs.has(previous);
  }

  /** What the stage itself says comes before it, in case the image's list is not whole. */
  #addPrevious(signature: string, need: Need): void {
    const previous = this.#stages.get(signature)?.previous;
    if (previous === undefined || this.#needs.has(previous)) return;
    const stage = this.#stages.get(previous);
    this.add(previous, {
      ...need,
      chain: [...need.chain, `stage ${stage?.stage || "?"} ${short(previous)}`],
    });
  }
}

/** Puts in what stands on stages whatever happens to images: leases, other projects, young stages, policies. */
export function addFixedRoots(
  needs: Needs,
  inventory: Inventory,
  options: {
    readonly graceMs: number;
    readonly leased: ReadonlyMap<string, string>;
    readonly kept: ReadonlyMap<string, { readonly rule: string; readonly why: string }>;
  },
): void {
  const fixed = (signature: string, rule: string, why: string, chain: readonly string[]) =>
    needs.add(signature, { rule, why, chain, evictable: false });
  const now = Date.parse(inventory.now);
  for (const [signature, who] of options.leased) {
    fixed(signature, "in use by a build", who, [who, `stage ${short(signature)}`]);
  }
  for (const other of inventory.others) {
    for (const signature of other.needs) {
      const why = `${other.reference}${other.project ? ` of project "${other.project}"` : ""} stands on it`;
      fixed(signature, "used by others", why, [other.reference, `stage ${short(signature)}`]);
    }
  }
  for (const stage of inventory.stages) {
    const named = `stage ${stage.stage} ${short(stage.signature)}`;
    const reason = options.kept.get(stage.reference);
    if (reason) fixed(stage.signature, reason.rule, reason.why, [reason.why, named]);
    if (stage.locked !== undefined) fixed(stage.signature, "locked", stage.locked, [stage.locked, named]);
    // Where a registry does not tell, leases alone protect what builds use.
    if (stage.publishedAt !== undefined && now - Date.parse(stage.publishedAt) < options.graceMs) {
      const why = `published ${stage.publishedAt}, a build may still be using it`;
      fixed(stage.signature, "too young", why, [named]);
    }
  }
}

/** Signatures as people see them. */
export function short(signature: string): string {
  return signature.slice(0, 12);
}
