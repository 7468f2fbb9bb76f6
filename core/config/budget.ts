import type { Place, Report } from "./report.ts";

/** Values that all images of a configuration may have together, with what they inherit. */
const MAX_VALUES = 1_000_000;
/** Characters of all these values. */
const MAX_CHARACTERS = 64 << 20;
/** Images that all matrices together may make. */
const MAX_IMAGES = 5000;

/**
 * Bounds what templates and matrices may expand to. A few lines could mean more than any machine holds; such a
 * dappfile is refused where the bound is met, before it is expanded.
 */
export class Budget {
  #values = 0;
  #characters = 0;
  #images = 0;
  #told = false;

  constructor(readonly report: Report) {}

  /** What the next text may grow to. */
  get charactersLeft(): number {
    return Math.max(0, MAX_CHARACTERS - this.#characters);
  }

  /** Counts values and the characters in them. False when they are too many, which is reported once. */
  take(values: number, characters: number, place: Place): boolean {
    this.#values += values;
    this.#characters += characters;
    if (this.#values > MAX_VALUES) return this.#refuse(place, `${MAX_VALUES} values`);
    return this.#characters <= MAX_CHARACTERS || this.#refuse(place, `${MAX_CHARACTERS} characters`);
  }

  /** Counts images. False when they are too many, which is reported. */
  takeImages(count: number, place: Place): boolean {
    if (this.#images + count <= MAX_IMAGES) {
      this.#images += count;
      return true;
    }
    const all = this.#images === 0 ? "" : ` beside the ${this.#images} before it`;
    this.report.problem(place, {
      message: `The matrix makes ${count} images${all}: at most ${MAX_IMAGES} are allowed`,
      hint: "Use fewer values, or list the combinations that are wanted",
      path: "matrix",
    });
    return false;
  }

  #refuse(place: Place, what: string): false {
    if (!this.#told) {
      this.report.problem(place, {
        message: `The configuration expands to more than ${what}: the bound is met here`,
        hint: "Inherit less, or use smaller matrices",
      });
    }
    this.#told = true;
    return false;
  }
}
