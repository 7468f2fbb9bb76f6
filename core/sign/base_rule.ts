import type { BaseRule, ImageRule } from "../contract/config.ts";

/** Whether the base is another image of the same dappfile. */
export function isOwn(base: BaseRule): base is Extract<BaseRule, { kind: "dimg" | "artifact" }> {
  return base.kind === "dimg" || base.kind === "artifact";
}

/** The text that a source plugin is asked for. */
export function baseName({ base }: Pick<ImageRule, "base">): string {
  if (base.kind === "scratch") return "scratch";
  if (base.kind === "image") return base.name;
  throw new TypeError(`A base of kind "${base.kind}" is no image that a source provides`);
}
