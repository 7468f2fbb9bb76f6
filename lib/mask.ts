/** Keeping secret values out of text. */

/** What stands for a value. */
const MASK = "***";

/** Values of fewer characters are not looked for: text without them would tell nothing, and show where they were. */
const SHORTEST = 4;
/** Lines of a longer value that are looked for by themselves: parts of keys, not brackets. */
const SHORTEST_LINE = 8;

/** Knows values that must not be shown, in the forms in which programs print them. */
export class Masker {
  /** By first character, longest first: a value is masked as a whole where another is part of it. */
  readonly #byStart = new Map<string, readonly string[]>();

  /** Adds a value. False when it is too short to be looked for. */
  add(value: Uint8Array): boolean {
    const forms = formsOf(value);
    for (const form of forms) {
      const known = this.#byStart.get(form[0]!) ?? [];
      this.#byStart.set(form[0]!, [...new Set([...known, form])].sort((a, b) => b.length - a.length));
    }
    return forms.length > 0;
  }

  /** Whether there is anything to be masked. */
  get active(): boolean {
    return this.#byStart.size > 0;
  }

  mask(text: string): string {
    return this.active ? this.scan(text, true).masked : text;
  }

  /**
   * Masks what is known to be a value; `rest` is the end of `text` that may be the start of one. With `last` no more
   * comes, and nothing rests.
   */
  scan(text: string, last: boolean): { readonly masked: string; readonly rest: string } {
    let masked = "";
    let done = 0;
    for (let at = 0; at < text.length; at++) {
      const forms = this.#byStart.get(text[at]!);
      if (!forms) continue;
      const left = text.length - at;
      // A longer value may go on where the text ends.
      if (!last && forms.some((form) => form.length > left && form.startsWith(text.slice(at)))) {
        return { masked: masked + text.slice(done, at), rest: text.slice(at) };
      }
      const found = forms.find((form) => text.startsWith(form, at));
      if (found === undefined) continue;
      masked += text.slice(done, at) + MASK;
      done = at + found.length;
      at = done - 1;
    }
    return { masked: masked + text.slice(done), rest: "" };
  }

  /** `value` with every text in it masked; keys of objects stay. */
  maskAll<T>(value: T): T {
    return (this.active ? this.#masked(value) : value) as T;
  }

  #masked(value: unknown): unknown {
    if (typeof value === "string") return this.mask(value);
    if (Array.isArray(value)) return value.map((each) => this.#masked(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#masked(each)]));
  }
}

/** Masks text that comes in pieces, also values that lie in several: what may be the start of one waits for the rest. */
export class MaskedStream {
  #held = "";

  constructor(readonly masker: Masker, readonly emit: (text: string) => void) {}

  push(text: string): void {
    const { masked, rest } = this.masker.scan(this.#held + text, false);
    this.#held = rest;
    if (masked !== "") this.emit(masked);
  }

  /** No more comes. */
  end(): void {
    const rest = this.masker.mask(this.#held);
    this.#held = "";
    if (rest !== "") this.emit(rest);
  }
}

function formsOf(value: Uint8Array): string[] {
  const text = new TextDecoder().decode(value);
  const whole = [text, text.trim(), text.trim().replaceAll("\r\n", "\n")];
  const lines = text.trim().split(/\r?\n/).map((line) => line.trim());
  const encoded = [value, new TextEncoder().encode(text.trim())].flatMap((bytes) => {
    const base64 = bytes.toBase64();
    const url = base64.replaceAll("+", "-").replaceAll("/", "_");
    return [base64, base64.replace(/=+$/, ""), url.replace(/=+$/, ""), bytes.toHex()];
  });
  const quoted = [JSON.stringify(text.trim()).slice(1, -1), encodeURIComponent(text.trim().toWellFormed())];
  if (text.trim().length < SHORTEST) return [];
  return [
    ...[...whole, ...quoted, ...encoded].filter((form) => form.length >= SHORTEST),
    ...(lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_LINE) : []),
  ];
}
