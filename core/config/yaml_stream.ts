/** YAML documents one after another, so that only one of them is in memory, within bounds on their size. */
import { Composer, type Document, Lexer, type LineCounter, Parser } from "yaml";

/** Maps and lists within each other; far more than a dappfile has, far less than the parser's recursion takes. */
const MAX_DEPTH = 100;
/** Words, marks, spaces and line ends of one document, which the parser holds at a time: some 150 bytes each. */
const MAX_DOCUMENT_TOKENS = 800_000;
/** The same of a dappfile with all that it includes, which bounds the time that reading them takes. */
const MAX_TOKENS = 1_600_000;

/** Why a text is not read to its end. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";

  constructor(readonly offset: number, message: string, readonly hint: string) {
    super(message);
  }
}

/**
 * The documents of a text, each with what is wrong in it.
 *
 * @param taken counts over several texts
 * @throws {TooLarge} where a bound is met
 */
export function* yamlDocuments(
  text: string,
  lines: LineCounter,
  taken: { tokens: number },
): Generator<Document.Parsed> {
  const parser = new Parser(lines.addNewLine);
  // Tags beyond JSON's kinds of value, such as !!binary, mean nothing here, and what they take depends on the machine.
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: "silent",
  });
  let own = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    taken.tokens++;
    own++;
    if (parser.stack.length > MAX_DEPTH) {
      throw new TooLarge(parser.offset, "The document is nested too deeply to be read", "Check its brackets");
    }
    if (own > MAX_DOCUMENT_TOKENS) {
      const hint = "Split it with a line `---`, and leave out what is not needed";
      throw new TooLarge(parser.offset, "The document is too long to be read", hint);
    }
    if (taken.tokens > MAX_TOKENS) {
      throw new TooLarge(
        parser.offset,
        "The dappfile is too long to be read",
        "Leave out what is not needed",
      );
    }
    for (const token of parser.next(lexeme)) {
      own = 0;
      // Comments between documents would be collected into one text.
      if (token.type !== "comment") yield* composer.next(token);
    }
  }
  for (const token of parser.end()) yield* composer.next(token);
  yield* composer.end();
}
