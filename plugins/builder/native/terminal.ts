/** Job control of the terminal on standard input. */

/** Remembers which process group has the terminal; the result gives it back. */
export function foregroundGroup(): () => void {
  const libc = Deno.dlopen("libc.so.6", {
    tcgetpgrp: { parameters: ["i32"], result: "i32" },
    tcsetpgrp: { parameters: ["i32", "i32"], result: "i32" },
    signal: { parameters: ["i32", "usize"], result: "usize" },
  });
  const group = libc.symbols.tcgetpgrp(0);
  return () => {
    const SIGTTOU = 22;
    const before = libc.symbols.signal(SIGTTOU, 1n); // ignored: otherwise setting it from the background stops us
    if (group > 0) libc.symbols.tcsetpgrp(0, group);
    libc.symbols.signal(SIGTTOU, before);
    libc.close();
  };
}
