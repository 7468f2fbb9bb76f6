import { labels, parseChain, signatureIn } from "../contract/labels.ts";
import type { Store } from "../contract/store.ts";
import { type DamagedPlace, nameOf } from "./repo_parts.ts";

/** Which images of REPO stand on which stages, as they say themselves. */
export class StageUsers {
  readonly #users = new Map<string, { readonly reference: string; readonly commit: string | undefined }[]>();

  /** Notes what an image stands on. */
  add(place: DamagedPlace): void {
    const { image, notes } = place;
    if (image === undefined || !notes) return;
    const row = { reference: nameOf(place), commit: notes[labels.commit] };
    const chain = (parseChain(notes[labels.stages]) ?? []).flatMap(({ stages }) => stages);
    for (const signature of new Set([notes[labels.signature], ...chain.map(({ signature }) => signature)])) {
      if (signature === undefined) continue;
      const rows = this.#users.get(signature);
      if (rows) rows.push(row);
      else this.#users.set(signature, [row]);
    }
  }

  /** What is to be said of a stage. */
  async of(
    { tag, notes }: DamagedPlace,
    { stages }: Pick<Store, "stages">,
  ): Promise<{ readonly stage?: string; readonly neededBy?: readonly string[]; readonly commit?: string }> {
    const signature = signatureIn(tag);
    if (signature === undefined) return {};
    const users = this.#users.get(signature) ?? [];
    const record = await stages.record(signature);
    const stage = notes?.[labels.stage] ?? record?.stage;
    const commit = users.find(({ commit }) => commit)?.commit ?? record?.origin.commit;
    return {
      neededBy: users.map(({ reference }) => reference).sort(),
      ...(stage !== undefined && { stage }),
      ...(commit !== undefined && { commit }),
    };
  }
}
