/** What policies of cleanups say of an image. */
import type { Inventory, InventoryImage, Keep } from "./cleanup.ts";

/** Age in milliseconds, measured from the inventory's `now`; what the future made is as young as can be. */
export function ageOf(image: InventoryImage, inventory: Pick<Inventory, "now">): number {
  return Math.max(0, Date.parse(inventory.now) - Date.parse(image.publishedAt));
}

/** A reason to keep an image: what the rule is called, and the case at hand in one line. */
export function keep(image: InventoryImage, rule: string, why: string): Keep {
  return { reference: image.reference, rule, why };
}

/** What came near to being a reason to keep an image; the plan says it when nobody keeps the image. */
export function nearly(image: InventoryImage, rule: string, why: string): Keep {
  return { reference: image.reference, rule, why, nearly: true };
}
