import { type Document, isScalar, visit, type YAMLError } from "yaml";

/** A YAML mistake in words, and where to look. */
export interface Explained {
  readonly message: string;
  readonly hint: string;
  readonly offset: number;
}

/** Left-overs of the Go templates that dappfiles of the old tool were written in. */
export const TEMPLATE =
  /(?<!\$)\{\{-?\s*(?:\.|\$|\/\*|(?:env|include|if|range|end|else|define|with|set|template)\b)/;
/** What to do about them. */
export const TEMPLATE_HINT = "Go templates are not supported; environment values are written ${{ env.NAME }}";

/** Says what a YAML error means to somebody who writes a dappfile. */
export function explainYamlError(error: YAMLError, document: Document, text: string): Explained {
  const offset = Math.min(error.pos[0], text.length);
  const line = lineAt(text, offset);
  const make = (message: string, hint: string, at = offset) => ({ message, hint, offset: at });
  const conflict = /^(?:<{7} .*|={7}|>{7} .*)$/m.exec(text);
  if (conflict) {
    return make("The file has git conflict markers", "Resolve the conflict first", conflict.index);
  }
  if (TEMPLATE.test(line) || /^\s*\{\{/.test(lineAt(text, offset - 1))) {
    return make("This is not YAML", TEMPLATE_HINT);
  }
  if (/(?<!\$)\$\{\{/.test(line) && error.code !== "TAB_AS_INDENT") {
    return make("This is not YAML", 'Put quotes around ${{ ... }} inside [ ] or { }: "${{ env.NAME }}"');
  }
  switch (error.code) {
    case "TAB_AS_INDENT":
      return make("The line is indented with a tab", "Indent with spaces: YAML does not allow tabs");
    case "BAD_INDENT":
      if (/^Flow/.test(error.message)) {
        const what = /sequence/.test(error.message) ? "list" : "map";
        const end = what === "list" ? "]" : "}";
        return make(
          `The ${what} that starts here is not closed`,
          `End it with \`${end}\`, or indent what belongs to it`,
          unclosedAt(document, text, offset),
        );
      }
      return make(
        "The indentation does not fit the lines above",
        "Give all keys of one map the same indentation",
      );
    case "MISSING_CHAR":
      if (/^\s*-\w/.test(line)) {
        return make("A list entry needs a space after `-`", "Write `- ` before the value");
      }
      return missingChar(error, document, offset, make);
    case "BLOCK_IN_FLOW":
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY": {
      const long = document.errors.find(({ code, pos }) =>
        code === "MULTILINE_IMPLICIT_KEY" && pos[0] === error.pos[0]
      );
      if (long) return goesOn(text, long, make);
      return make(
        "There is a second `: ` in this value",
        "Put quotes around the value, or start a nested map on the next line with more indentation",
      );
    }
    case "BAD_SCALAR_START":
      return make(`A value cannot start with \`${text[offset]}\``, "Put quotes around the value");
    case "BAD_DQ_ESCAPE":
      return make(
        `\`${error.message.replace(/^.*sequence /, "")}\` means nothing between double quotes`,
        "Use single quotes, or write \\\\ for a backslash",
      );
    case "TAG_RESOLVE_FAILED":
      return make(
        `YAML tag \`${text.slice(error.pos[0], error.pos[1])}\` is not known`,
        "Leave it out, or put quotes around the value",
      );
    case "BAD_DIRECTIVE":
      return make(`\`${line.trim()}\` is not a YAML directive`, "Leave the line out");
    case "UNEXPECTED_TOKEN":
      return unexpected(error, text[offset] ?? "", make);
    default:
      return make(
        `This is not YAML: ${error.message}`,
        "Check the quotes and the indentation here and above",
      );
  }
}

type Make = (message: string, hint: string, at?: number) => Explained;

/** A key whose line is indented more than the value above it, which YAML takes for more of that value. */
function goesOn(text: string, { pos: [start, end] }: YAMLError, make: Make): Explained {
  const above = text.slice(0, start).split("\n").length;
  const from = text.lastIndexOf("\n", end - 1) + 1;
  return make(
    `This line is indented like more of the value of line ${above}`,
    "Give the keys of one map the same indentation, or put quotes around the whole value",
    from + text.slice(from).search(/\S/),
  );
}

function missingChar(error: YAMLError, document: Document, offset: number, make: Make): Explained {
  const quote = /closing (['"])/.exec(error.message)?.[1];
  if (quote) {
    const opened = openedAt(document, offset);
    return make(`The quote ${quote} is not closed`, `End the text with ${quote}`, opened);
  }
  if (/map keys/.test(error.message)) {
    return make(
      "The line is neither `key: value` nor part of the value above",
      "Write `key: value`, or `- ` for a list entry",
    );
  }
  if (/flow|, or/i.test(error.message)) {
    return make(
      "A `,` or a closing bracket is missing",
      "Separate entries with `,`; quote texts that contain [ ] { } or ,",
    );
  }
  return make(
    `This is not YAML: ${error.message}`,
    "Check the indentation, quotes and brackets here and above",
  );
}

function unexpected(error: YAMLError, char: string, make: Make): Explained {
  if (/block-seq-ind on same line/.test(error.message)) {
    return make("A list cannot start on the line of its key", "Start it on the next line, or write [a, b]");
  }
  if (/node end/.test(error.message)) {
    return make(
      "There is more text after the value has ended",
      "Put quotes around the whole value, and close quotes opened above",
    );
  }
  if ("]}".includes(char)) {
    return make(`\`${char}\` closes nothing`, "Remove it, or put quotes around the value");
  }
  return make("This does not fit what is above", "Check the indentation and the quotes");
}

/** Where the flow list or map that has no end starts. */
function unclosedAt(document: Document, text: string, offset: number): number {
  let found = offset;
  visit(document, {
    Collection(_, node) {
      if (node.flow && node.range && !/[\]}]/.test(text[node.range[1] - 1] ?? "")) found = node.range[0];
    },
  });
  return found;
}

/** Where the quoted text that runs on to `offset` starts. */
function openedAt(document: Document, offset: number): number {
  let found = offset;
  visit(document, {
    Scalar(_, node) {
      if (isScalar(node) && node.range && node.range[0] < offset && node.type?.startsWith("QUOTE_")) {
        found = node.range[0];
      }
    },
  });
  return found;
}

function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", offset);
  return text.slice(start, end < 0 ? undefined : end);
}
