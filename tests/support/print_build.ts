/** Builds the project in a directory with a store and prints every signature and manifest digest as JSON. */
import { createEngine } from "../../mod.ts";

const [dir = ".", home = "home"] = Deno.args;
await using engine = createEngine({ dir, home });
const { images } = await engine.build();
const plan = await engine.plan();
const signatures = plan.images.flatMap((i) =>
  i.stages.map((s) => `${i.kind} ${i.name}/${s.stage} ${s.signature}`)
);
const text = JSON.stringify({ signatures, digests: images.map((i) => `${i.name} ${i.digest}`) }, null, 1);
Deno.stdout.writeSync(new TextEncoder().encode(text));
