/** Commands of a shell script, as far as that can be told without running it. */

/** The simple commands of a script in order, each as its words; quotes are gone, `$NAME` stays. */
export function commandsOf(script: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) commands.at(-1)!.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    if (commands.at(-1)!.length > 0) commands.push([]);
  };
  const text = script.replaceAll(/\\\n/g, " ");
  for (let i = 0; i < text.length; i++) {
    const sign = text[i]!;
    if (sign === "'" || sign === '"') {
      const end = text.indexOf(sign, i + 1);
      word = (word ?? "") + text.slice(i + 1, end);
      i = end;
    } else if (sign === "#" && word === undefined) {
      i = (text.indexOf("\n", i) + text.length) % text.length - 1;
    } else if (sign === " " || sign === "\t") endWord();
    else if ("\n;|&".includes(sign)) endCommand();
    else if (sign === "\\") word = (word ?? "") + text[++i];
    else word = (word ?? "") + sign;
  }
  endCommand();
  return commands.map(plain).filter((words) => words.length > 0);
}

/** Without what stands before and around the program: words of the shell, variables, redirections. */
function plain(words: readonly string[]): readonly string[] {
  const start = words.findIndex((word) => !/^(?:if|then|else|do|!|export|\w+=.*)$/s.test(word));
  if (start < 0) return [];
  return words.slice(start).filter((word, i, all) =>
    !/^\d?[<>]/.test(word) && !/^\d?[<>]+$/.test(all[i - 1] ?? "")
  );
}
