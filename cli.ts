/**
 * The `dapp` command line. Everything happens in `cli/main.ts`; this file alone ends the process.
 *
 * @module
 */
import { realIo } from "./cli/host.ts";
import { main } from "./cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args, realIo(Deno.exit)));
