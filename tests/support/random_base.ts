/** Random base images: what layers do to each other, where the files of random histories go. */
import type { BaseEntry, BaseImage } from "./golden_base.ts";
import { base, type Dice, randomPath } from "./random_history.ts";

const LINKS = ["real", "b", "../etc", "/app/real", "nowhere", "/srv", "a"];

/** The base of random histories, with layers on it that hide, replace and change. */
export function randomBase(dice: Dice): BaseImage {
  const count = 1 + dice.below(3);
  return { layers: [...base.layers, ...Array.from({ length: count }, () => randomLayer(dice))] };
}

function randomLayer(dice: Dice): readonly BaseEntry[] {
  const entries = new Map<string, BaseEntry>();
  const add = (entry: BaseEntry) => entries.set(entry.path.replace(/\/$/, ""), entry);
  if (dice.chance(0.3)) {
    add({ path: "./", type: "dir", mode: dice.pick([700, 755, 1777]), uid: dice.below(2) });
  }
  for (let left = 2 + dice.below(6); left > 0; left--) {
    const path = `${dice.pick(["app", "app", "srv", "alias", "imported"])}/${randomPath(dice)}`;
    const at = path.lastIndexOf("/");
    const [dir, name] = [path.slice(0, at), path.slice(at + 1)];
    const owner = { uid: dice.below(4), gid: dice.below(4) };
    const files = [...entries.values()].filter(({ text }) => text !== undefined);
    const kind = dice.below(7);
    if (kind < 2) {
      add({ path: `${path}/`, type: "dir", mode: dice.pick([700, 711, 755, 1777, 2755]), ...owner });
    } else if (kind === 2) {
      add({ path, text: `of a layer ${left}`, mode: dice.pick([600, 644, 4755]), ...owner });
    } else if (kind === 3) add({ path, link: dice.pick(LINKS), ...owner });
    else if (kind === 4) add({ path: `${dir}/.wh.${name}`, text: "" });
    else if (kind === 5) add({ path: `${dir}/.wh..wh..opq`, text: "" });
    else if (files.length > 0) add({ path, type: "hardlink", link: dice.pick(files).path });
  }
  return [...entries.values()];
}
