/**
 * Runs a command and writes what it took as JSON: `deno run -A bench/measured.ts FILE COMMAND...`. A process of its own,
 * as the kernel tells the highest memory of all children that there ever were.
 */

/** What a command took. */
export interface Taken {
  readonly ms: number;
  /** Memory of the largest process, in bytes. */
  readonly bytes: number;
}

if (import.meta.main) {
  const [file = "", program = "", ...args] = Deno.args;
  const start = performance.now();
  const { code, stderr } = await new Deno.Command(program, { args, stdin: "null", stdout: "null" }).output();
  const ms = performance.now() - start;
  if (code !== 0) {
    Deno.stderr.writeSync(stderr);
    Deno.exit(code);
  }
  const taken: Taken = { ms, bytes: childrenPeak() };
  await Deno.writeTextFile(file, JSON.stringify(taken));
}

/** `ru_maxrss` of `getrusage(RUSAGE_CHILDREN)`, which counts in KiB. */
function childrenPeak(): number {
  const libc = Deno.dlopen("libc.so.6", { getrusage: { parameters: ["i32", "buffer"], result: "i32" } });
  const usage = new Uint8Array(144);
  if (libc.symbols.getrusage(-1, usage) !== 0) throw new Error("Cannot read what the command took");
  return Number(new DataView(usage.buffer).getBigInt64(32, true)) * 1024;
}
