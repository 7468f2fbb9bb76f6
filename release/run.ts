/** Runs a tool to its end and returns its standard output. */
export async function runTool(argv: readonly [string, ...string[]], cwd: URL | string): Promise<string> {
  const [program, ...args] = argv;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (code === 0) return decoder.decode(stdout);
  throw new Error(`Cannot run "${argv.join(" ")}": exit code ${code}\n${decoder.decode(stderr)}`);
}
