import { PROGRAMS } from "./look_programs.ts";

/** The program, or undefined where there is none for an architecture. */
export async function lookProgram(architecture: string): Promise<Uint8Array | undefined> {
  const text = PROGRAMS[architecture];
  if (text === undefined) return undefined;
  const packed = Uint8Array.fromBase64(text.replaceAll("\n", ""));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
