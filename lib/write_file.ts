/** Writes whole files. Node.js loads it too, with the engine, and knows no `using` as yet. */
import { atPath } from "./file_failure.ts";

const encoder = new TextEncoder();

/**
 * Writes a whole file, over what is there. `Deno.writeFile` and `Deno.writeTextFile` would load Deno's streams first,
 * which takes 3 ms.
 *
 * @param mode of a file that is new @default 0o666, less what the process masks
 * @throws {FileError} when there is no room
 */
export async function writeFile(
  path: string,
  content: string | Uint8Array,
  { mode = 0o666 }: { readonly mode?: number } = {},
): Promise<void> {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  const file = await Deno.open(path, { write: true, create: true, truncate: true, mode });
  try {
    await atPath(path, async () => {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    });
  } finally {
    file.close();
  }
}
