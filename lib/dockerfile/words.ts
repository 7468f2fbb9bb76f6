import { fillTemplate, parseWord } from "./variables.ts";

/** A word without its quotes and escapes, its variables replaced. @throws {VariableError} */
export function expandWord(word: string, escape: string, variables: ReadonlyMap<string, string>): string {
  return fillTemplate(parseWord(word, escape), variables);
}

/** Splits at white space outside of quotes; quotes and escapes stay. */
export function splitWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let [word, inWord, quote]: [string, boolean, string] = ["", false, ""];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote === "" && /\s/.test(char)) {
      if (inWord) words.push(word);
      [word, inWord] = ["", false];
      continue;
    }
    inWord = true;
    if (char === escape && quote !== "'") {
      if (i + 1 < text.length) word += char + text[++i]!;
      continue;
    }
    if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
    word += char;
  }
  if (inWord) words.push(word);
  return words;
}
