import {
  type Digest,
  digestFromHex,
  type LayerIndex,
  type OciPlatform,
} from "../../../core/contract/plugin.ts";
import {
  type Definition,
  NetMode,
} from "../../../lib/buildkit/gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import { Llb } from "../../../lib/buildkit/llb.ts";
import type { RootLook } from "./canonical.ts";
import { LayerIndexer } from "../../../lib/layer/index.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";

/** Name of the program in the directory that has it. */
export const LOOK = "look";

/** Names of what the look hands over. */
const HEADERS = "headers";
const SUM = "sum";

/** Exit status for what the program does not read. */
export const CANNOT_READ = 3;

/** A layer as it was found where it is. */
export interface FoundLayer {
  /** Digest of the tar, which is that of all its bytes. */
  readonly diffId: Digest;
  readonly index: LayerIndex;
}

/** The file action that puts the program into a directory. */
export function lookFile(program: Uint8Array) {
  return { case: "mkfile", value: { path: `/${LOOK}`, mode: 0o755, data: program, timestamp: -1n } } as const;
}

/** The operations that look into a layer of a repository, in an empty file system beside it. */
export function planLook(
  layer: { readonly digest: string },
  { repository, platform, program }: {
    readonly repository: string;
    readonly platform: OciPlatform;
    readonly program: Uint8Array;
  },
): Definition {
  const { os: OS, architecture: Architecture, variant: Variant = "" } = platform;
  const llb = new Llb({ OS, Architecture, Variant });
  const blob = llb.source(`docker-image+blob://${repository}@${layer.digest}`, { "http.filename": "layer" });
  const tool = llb.file([], [{ input: -1n, secondaryInput: -1n, output: 0n, action: lookFile(program) }]);
  const { digest } = llb.exec({
    meta: { args: [`/tool/${LOOK}`, "layer", "/blob/layer", `/out/${HEADERS}`, `/out/${SUM}`], cwd: "/" },
    network: NetMode.NONE,
    mounts: [
      { dest: "/", output: 0 },
      { dest: "/tool", input: tool, readonly: true },
      { dest: "/blob", input: blob, readonly: true },
      { dest: "/out", output: 1 },
    ],
  }, { name: `look into ${layer.digest}` });
  return llb.definition({ digest, index: 1 });
}

/** Reads the three numbers of a look at "/", which came as a layer with one file. */
export async function readRootLook(file: string): Promise<RootLook | undefined> {
  let text = "";
  const parser = new TarParser({
    entry() {},
    data: (chunk) => void (text += new TextDecoder().decode(chunk)),
    end() {},
  });
  for await (const chunk of openLayer(file)) parser.push(chunk);
  parser.finish();
  const [mode, uid, gid] = text.trim().split(" ").map(Number);
  return gid === undefined ? undefined : { mode: mode!, uid: uid!, gid };
}

/**
 * Reads what a look handed over: a layer with two files. `each` is told every entry of the layer that was looked into.
 *
 * @throws {TarError} @throws {LayerError}
 */
export async function readLook(
  file: string,
  each: (entry: TarEntry) => void = () => {},
): Promise<FoundLayer> {
  const indexer = new LayerIndexer();
  const headers = new TarParser({
    entry(entry) {
      indexer.add(entry);
      each(entry);
    },
    data() {},
    end() {},
  }, { hollow: true });
  let reading = "";
  let sum = "";
  const decoder = new TextDecoder();
  const outer = new TarParser({
    entry: ({ path }) => void (reading = path),
    data(chunk) {
      if (reading === HEADERS) headers.push(chunk);
      else if (reading === SUM) sum += decoder.decode(chunk);
    },
    end() {},
  });
  for await (const chunk of openLayer(file)) outer.push(chunk);
  outer.finish();
  headers.finish();
  const [hex = ""] = sum.split(" ");
  return { diffId: digestFromHex(hex), index: indexer.finish() };
}
