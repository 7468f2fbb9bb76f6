/** Splits a byte stream into lines of UTF-8 text. A last line without its end is left out. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let held: string[] = []; // joined once: a line may be the index of a million files
  for await (
    const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
  ) {
    const [first = "", ...others] = text.split("\n");
    held.push(first);
    for (const next of others) {
      yield held.join("");
      held = [next];
    }
  }
}
