import { digestOf } from "./oci/digest.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const LINE_END = 10;
/** Length of a digest: `sha256:` and 64 hex digits. */
const DIGEST = 71;

/** A text with its digest before it, so that whatever happens to its file is noticed when it is read. */
export async function seal(text: string): Promise<Uint8Array> {
  // It may be long: no second text is made of it, and no second copy of its bytes. What stays empty takes no memory.
  const sealed = new Uint8Array(DIGEST + 1 + 3 * text.length);
  sealed[DIGEST] = LINE_END;
  const { written } = encoder.encodeInto(text, sealed.subarray(DIGEST + 1));
  const content = sealed.subarray(DIGEST + 1, DIGEST + 1 + written);
  encoder.encodeInto(await digestOf(content), sealed);
  return sealed.subarray(0, DIGEST + 1 + written);
}

/** The text inside; undefined for what {@linkcode seal} did not make. */
export async function unseal(sealed: Uint8Array): Promise<string | undefined> {
  const cut = sealed.indexOf(LINE_END);
  if (cut < 0) return undefined;
  const content = sealed.subarray(cut + 1);
  return await digestOf(content) === decoder.decode(sealed.subarray(0, cut))
    ? decoder.decode(content)
    : undefined;
}

/** The text in a file that {@linkcode writeSealed} wrote; undefined where there is none. */
export async function readSealed(path: string): Promise<string | undefined> {
  try {
    return await unseal(await Deno.readFile(path));
  } catch {
    return undefined;
  }
}

/** Keeps a text that can be made again, for its owner alone: where it cannot be written only time is lost. */
export async function writeSealed(path: string, text: string): Promise<void> {
  const temp = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    Deno.writeFileSync(temp, await seal(text), { mode: 0o600 }); // without a thread, and without Deno's streams
    await Deno.rename(temp, path);
  } catch {
    await Deno.remove(temp).catch(() => {});
  }
}
