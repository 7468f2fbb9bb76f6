/** Cuts a byte stream into decoded pieces that end at line ends where that does not delay them much. */

const LONGEST = 4096;
const PATIENCE_MS = 100;

/** Calls `emit` until `stream` ends. Characters that span chunks are put together. */
export async function forwardOutput(
  stream: ReadableStream<Uint8Array>,
  emit: (text: string) => Promise<void> | void,
): Promise<void> {
  const decoder = new TextDecoder();
  let held = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const text = held;
    held = "";
    return text === "" ? undefined : emit(text);
  };
  for await (const chunk of stream) {
    held += decoder.decode(chunk, { stream: true });
    const cut = held.length > LONGEST ? held.length : held.lastIndexOf("\n") + 1;
    if (cut > 0) {
      const rest = held.slice(cut);
      held = held.slice(0, cut);
      await flush();
      held = rest + held;
    }
    if (held !== "") timer ??= setTimeout(() => void flush(), PATIENCE_MS);
  }
  held += decoder.decode();
  await flush();
}
