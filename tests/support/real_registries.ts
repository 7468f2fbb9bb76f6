/**
 * Every real registry that is here: Debian's docker-registry, and those whose binaries are in the directories that
 * `DAPP_TEST_REGISTRIES` lists (separated by ":"), which Debian does not have:
 *
 * - `registry`: distribution 3 (github.com/distribution/distribution/v3/cmd/registry)
 * - `crane`: the registry of go-containerregistry (github.com/google/go-containerregistry/cmd/crane)
 * - `olareg`: github.com/olareg/olareg/cmd/olareg, built from a clone: the Go module proxy refuses this module (403)
 */
import { startDockerRegistry } from "./docker_registry.ts";
import { type RealServer, startServer } from "./real_server.ts";

export interface RealRegistry {
  readonly name: string;
  start(): Promise<RealServer | undefined>;
}

const KNOWN:
  readonly (readonly [binary: string, name: string, start: (binary: string) => RealRegistry["start"]])[] = [
    ["registry", "distribution 3", (binary) => () => startDockerRegistry({ binary })],
    ["crane", "crane registry", (binary) => () =>
      startServer({
        binary,
        async args({ host, dir }) {
          await Deno.mkdir(`${dir}/data`);
          return ["registry", "serve", "--address", host, "--disk", `${dir}/data`];
        },
      })],
    ["olareg", "olareg", (binary) => () =>
      startServer({
        binary,
        args: ({ port, dir }) =>
          Promise.resolve(["serve", "--api-delete", "--port", String(port), "--dir", `${dir}/data`]),
      })],
  ];

export async function realRegistries(): Promise<readonly RealRegistry[]> {
  const found: RealRegistry[] = [{ name: "docker-registry", start: () => startDockerRegistry() }];
  const dirs = (Deno.env.get("DAPP_TEST_REGISTRIES") ?? "").split(":").filter((dir) => dir !== "");
  for (const [file, name, start] of KNOWN) {
    for (const path of dirs.map((dir) => `${dir}/${file}`)) {
      if (!await isFile(path)) continue;
      found.push({ name, start: start(path) });
      break;
    }
  }
  return found;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
