/** Uses an engine with everything that prints or exits trapped: `silent_main.ts DIR HOME` writes nothing but "done". */
import { createEngine } from "../../mod.ts";

const [dir = "", home = ""] = Deno.args;
const print = Deno.stdout.writeSync.bind(Deno.stdout);
const trapped: string[] = [];
for (const name of ["log", "info", "warn", "error", "debug"] as const) {
  Object.assign(globalThis.console, { [name]: () => void trapped.push(`console.${name}`) });
}
Deno.exit = (code) => {
  throw new Error(`Deno.exit(${code})`);
};
{
  await using engine = createEngine({ dir, home });
  await engine.plan();
  await engine.build();
  await engine.push([], { repo: `oci:${home}/repo`, tags: [{ flag: "tag", value: "v1" }] });
  await engine.planCleanup({ repo: `oci:${home}/repo` });
  await engine.checkMachine();
  await engine.explain("no-such-dimg").catch(() => {});
  await engine.list();
}
print(new TextEncoder().encode(trapped.join(",") || "done"));
