/**
 * The `dapp` command line. Everything happens in `cli/main.ts`; this file alone ends the process.
 *
 * @module
 */
import { missingPermission } from "./lib/missing_permission.ts";

if (import.meta.main) Deno.exit(await start(Deno.args));

async function start(args: readonly string[]): Promise<number> {
  // Scripts ask for nothing but this to see whether dapp is there; the rest need not be loaded for it.
  if (args.length === 1 && args[0] === "--version") return (await import("./cli/version.ts")).printVersion();
  try {
    const [{ main }, { realIo }] = await Promise.all([import("./cli/main.ts"), import("./cli/host.ts")]);
    return await main(args, realIo(Deno.exit));
  } catch (error) {
    // Without the environment or its own modules dapp cannot even begin.
    const missing = missingPermission(error);
    if (!missing) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`error: ${missing.message}\nfix: ${missing.fix}\n`));
    return 2;
  }
}
