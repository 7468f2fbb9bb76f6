/**
 * Embeds the engine: builds the images of a dappfile, exports them as an OCI layout and lists what is inside.
 *
 *     deno run -A examples/build_and_list.ts [PROJECT_DIR] [DAPPFILE] [OUT_DIR]
 */
import { createEngine, EngineError } from "@dapp/dapp";
import { indexLayer } from "../lib/layer/index.ts";
import { openLayer } from "../lib/layer/open.ts";

/** Builds, exports to `out` and gives one line for each file of each image: mode, owner, size, path. */
export async function buildAndList(dir: string, config: string, out: string): Promise<string[]> {
  const lines: string[] = [];
  await using engine = createEngine({ dir, config });
  const { images, stagesBuilt, stagesReused } = await engine.build();
  lines.push(`${stagesBuilt} stages built, ${stagesReused} reused`);
  await engine.export([], `oci:${out}`);
  for (const { name, digest, state } of images) {
    lines.push(`${name} ${digest}`);
    for (const layer of state.layers) {
      const blob = `${out}/blobs/sha256/${layer.digest.slice("sha256:".length)}`;
      const { entries } = await indexLayer(openLayer(blob));
      for (const { type, mode, uid, gid, size, path, link } of entries) {
        const kind = type === "dir" ? "d" : type === "symlink" ? "l" : "-";
        const target = link === undefined ? "" : ` -> ${link}`;
        lines.push(
          `  ${kind}${mode.toString(8).padStart(4, "0")} ${uid}:${gid} ${
            String(size).padStart(7)
          } /${path}${target}`,
        );
      }
    }
  }
  return lines;
}

if (import.meta.main) {
  const [dir = ".", config = "dappfile.example.yaml", out = "out/example"] = Deno.args;
  const print = (stream: typeof Deno.stdout, text: string) =>
    stream.writeSync(new TextEncoder().encode(text + "\n"));
  try {
    for (const line of await buildAndList(dir, config, out)) print(Deno.stdout, line);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    print(Deno.stderr, `${error.message}\n${error.fix}`);
    Deno.exit(error.exitCode);
  }
}
