/**
 * Makes what is released, in out/release or `--out DIR`: `deno task release:build`.
 *
 * - `npm/`: the npm package as a directory; `dist/` in it is the bundled program, for `deno install -g` too
 * - `dapp-dapp-VERSION.tgz`: the same as `npm pack` packs it
 *
 * With `--program DIR` only the bundled program, in DIR.
 */
import { parseArgs } from "@std/cli/parse-args";
import { bundle } from "./bundle.ts";
import { declarations } from "./declarations.ts";
import { packNpm, writeNpmPackage } from "./npm_package.ts";
import { project } from "./project.ts";

async function main(): Promise<void> {
  const { out, program } = parseArgs(Deno.args, { string: ["out", "program"] });
  if (program !== undefined) return await bundle(String(program));
  const target = out === undefined ? new URL("out/release", project.root).pathname : String(out);
  await Deno.remove(target, { recursive: true }).catch(() => {});
  const dir = `${target}/npm`;
  await Deno.mkdir(dir, { recursive: true });
  await bundle(`${dir}/dist`);
  await declarations(`${dir}/types`);
  await writeNpmPackage(dir);
  const tarball = await packNpm(dir, target);
  await Deno.stdout.write(new TextEncoder().encode(`${tarball}\n`));
}

if (import.meta.main) await main();
