/** Characters that stand between words. */
const separators = new Set("/ &(){}[]-_,.;:=+<>~");

/** What is known of characters beyond ASCII. */
interface Foreign {
  /**
   * Letters that are no ASCII letter with an accent, each with what stands for it. Latin and Cyrillic are spelt as the old
   * tool spells them, with its peculiarities (ß is "b", ı is "l"), so that its slugs stay what they were.
   */
  readonly letters: ReadonlyMap<string, string>;
  /** Upper-case letters that the old tool spells unlike their lower-case form. */
  readonly capitals: ReadonlyMap<string, string>;
  /** Characters besides letters of which a compatibility decomposition tells the letters and digits: ² ③ ⒜ ™ ａ. */
  readonly decomposed: RegExp;
}

let foreign: Foreign | undefined;

/** Made when a name has such a character: the scripts of the expression take V8 half a millisecond. */
function learnForeign(): Foreign {
  return {
    letters: tableOf(
      // Latin
      "æ ae ð o ø o þ th ß b đ d ħ h ı l ĸ k ł l ŋ n œ oe ŧ t × x µ u ƀ b ɓ b ƅ b ƈ c ɖ d ɗ d ƌ nd ɛ e ƒ f ɠ g",
      "ɩ i ɨ i ƙ k ɯ w ɲ n ƞ n ɵ o ƥ p ʀ r ƨ s ʃ s ƪ t ƫ t ƭ t ʈ t ʊ u ʋ u ƶ z ʒ z ƽ q ǝ e ǥ g ȥ z ȷ j ȸ db ȹ qp",
      "ⱥ a ȼ c ƚ l ⱦ l ȿ s ɀ z ʉ u ʌ v ɇ e ɉ j ɋ q ɍ r ɏ y ɑ a ɡ g ɢ g ɱ m ɶ oe ᴀ a ᴁ ae ᴂ ae ᴃ b ᴄ c ᴅ d ᴆ d ᴇ e",
      "ᴊ j ᴋ k ᴌ l ᴍ m ᴎ n ᴏ o ꜰ f ꜱ s ꜳ aa ꜵ ao ꜷ aj ꜹ av ꜻ af ꜽ af",
      // Signs that do not decompose
      "℄ c ℏ h ℗ p ℞ px ℟ r ℮ e",
      // Cyrillic
      "а a б b в v г g д d е ye ё yo ж zh з z и i й j к k л l м m н n о o п p р r с s т t у u ф f х h ц c ч ch ш sh",
      "щ shch ы y э e ю yu я ya",
      "і i ї yi є ye ґ g ў u ђ dj ј j љ lj њ nj ћ c џ dz ѓ gj ќ kj ѕ dz",
      // Greek
      "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o",
    ),
    capitals: tableOf("Ð d İ l"),
    decomposed: /[²³₀-ₜ℀-⅋⒈-⓪\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}！-～]/u,
  };
}

/**
 * ASCII for one character: lower-case letters and digits, "-" for what separates words, "" for what has no equivalent.
 *
 * Latin, Greek and Cyrillic letters have one, with or without accents; others do not.
 */
export function transliterate(char: string): string {
  if (separators.has(char)) return "-";
  if (/[a-zA-Z0-9]/.test(char)) return char.toLowerCase();
  const { letters, capitals, decomposed } = foreign ??= learnForeign();
  const known = capitals.get(char) ?? letters.get(char.toLowerCase());
  if (known !== undefined) return known;
  if (!decomposed.test(char)) return "";
  const parts = char.normalize("NFKD");
  if (parts === char) return "";
  if (separators.has(parts)) return "-";
  return [...parts].map(transliterate).join("").replaceAll("-", "");
}

function tableOf(...rows: readonly string[]): ReadonlyMap<string, string> {
  const words = rows.join(" ").split(" ");
  return new Map(words.flatMap((word, at) => at % 2 === 0 ? [[word, words[at + 1]!]] : []));
}
