/**
 * The `dapp` command line. Everything happens in `cli/main.ts`; this file alone ends the process.
 *
 * @module
 */
import { missingPermission } from "./lib/missing_permission.ts";
import { isFar } from "./lib/registry/far_host.ts";
import { tlsReady } from "./lib/registry/tls_ready.ts";

/** Says which file holds what release/dapp.sh has asked git, before everything else. */
const GIT_ASKED = "--git-asked=";

if (import.meta.main) Deno.exit(await start(Deno.args));

async function start(given: readonly string[]): Promise<number> {
  const [first = "", ...others] = given;
  const early = first.startsWith(GIT_ASKED) ? first.slice(GIT_ASKED.length) : undefined;
  const args = early === undefined ? given : others;
  // Scripts ask for nothing but this to see whether dapp is there; the rest need not be loaded for it.
  if (args.length === 1 && args[0] === "--version") return (await import("./cli/version.ts")).printVersion();
  // Another thread makes TLS ready while modules are loaded.
  if (args.some((arg) => isFar(arg.replace(/^--[a-z-]+=/, "")))) void tlsReady();
  try {
    const asked = early === undefined ? undefined : (await import("./cli/git_asked.ts")).openGitAsked(early);
    const repeated = asked && await (await import("./cli/remembered/repeat.ts")).repeat(args, asked);
    if (repeated && repeated.failure === undefined) return 0;
    // In turn: in a release both are in one file, which Deno would read twice for two imports at once.
    const { main, reportLost } = await import("./cli/main.ts");
    const { realIo } = await import("./cli/host.ts");
    const io = realIo(Deno.exit, asked);
    if (repeated?.failure !== undefined) return await reportLost(repeated.failure, args, io);
    if (!asked) return await main(args, io);
    const { witnessed } = await import("./cli/remembered/witness.ts");
    return await witnessed(args, io, main);
  } catch (error) {
    // Without the environment or its own modules dapp cannot even begin.
    const missing = missingPermission(error);
    if (!missing) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`error: ${missing.message}\nfix: ${missing.fix}\n`));
    return 2;
  }
}
