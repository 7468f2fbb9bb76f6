import {
  type BuilderRequest,
  type Digest,
  EngineError,
  type Layer,
  type LayerPlace,
  type Store,
} from "../../../core/contract/plugin.ts";
import { failureFacts } from "../../../lib/buildkit/client.ts";
import type { Definition } from "../../../lib/buildkit/gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import { indexLayer } from "../../../lib/layer/index.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import type { RootLook } from "./canonical.ts";
import type { Daemon } from "./daemon.ts";
import { build } from "./drive.ts";
import { isLost, saysMissing, unavailable } from "./failure.ts";
import { HAND_OVER, newLayers } from "./hand_over.ts";
import { CANNOT_READ, type FoundLayer, planLook, readLook, readRootLook } from "./look.ts";
import { lookProgram } from "./look_program.ts";
import type { SharedSessions } from "./shared_sessions.ts";

/** Up to this a layer is no larger than the questions and answers of a look into it, and is read instead. */
const SMALL = 12 * 1024;

/** How looks are made. */
export interface LookOptions {
  readonly at: LayerPlace;
  readonly signal: AbortSignal;
}

/** Looks into layers of registries: in a daemon, without their bytes, or at the bytes of small ones. */
export class LayerLooks {
  constructor(
    readonly request: Pick<BuilderRequest, "platform" | "store" | "onLayer">,
    readonly sessions: SharedSessions,
  ) {}

  /**
   * What is in a layer; undefined when that cannot be found out there. `each` is told every entry.
   *
   * @throws LAYER_INVALID, REGISTRY_FAILED when the daemon cannot read it @throws {TarError} @throws {LayerError}
   */
  async look(
    daemon: Daemon,
    layer: Pick<Layer, "digest" | "size"> & { readonly diffId?: Digest },
    { at, signal }: LookOptions,
    each?: (entry: TarEntry) => void,
  ): Promise<FoundLayer | undefined> {
    const { platform, onLayer, store } = this.request;
    const { digest, size, diffId } = layer;
    const repository = at.repository.name;
    let found: FoundLayer;
    if (size <= SMALL) found = await readSmall(await at.repository.blob(layer, signal), store, each);
    else {
      const program = await lookProgram(platform.architecture);
      if (!program) return undefined;
      try {
        const definition = planLook(layer, { repository, platform, program });
        found = await this.#only(daemon, definition, { at, signal }, (file) => readLook(file, each));
      } catch (error) {
        const { exit } = failureFacts(error);
        if (exit === CANNOT_READ) return undefined;
        throw isRpcError(error)
          ? new EngineError(
            exit === undefined ? "REGISTRY_FAILED" : "LAYER_INVALID", // the program says what is wrong with a layer
            `Cannot look into layer ${digest} of ${repository}: BuildKit at "${daemon.address.text}" says: ${error.details}`,
            { cause: error, missing: saysMissing(error) },
          )
          : error;
      }
    }
    if (diffId !== undefined && found.diffId !== diffId) {
      throw new EngineError(
        "LAYER_INVALID",
        `Cannot use layer ${digest} of ${repository}: its content has digest ${found.diffId}, the image says ${diffId}`,
      );
    }
    onLayer?.({ digest, diffId: found.diffId }, found.index);
    return found;
  }

  /** What "/" looks like in the result of a step. */
  async root(daemon: Daemon, definition: Definition, options: LookOptions): Promise<RootLook | undefined> {
    try {
      return await this.#only(daemon, definition, options, readRootLook);
    } catch (error) {
      if (isRpcError(error)) return undefined;
      throw error;
    }
  }

  /** Lets the daemon build something of one layer, and reads the file of that. @throws {ServiceError} */
  async #only<T>(
    daemon: Daemon,
    definition: Definition,
    { at, signal }: LookOptions,
    read: (file: string) => Promise<T>,
  ): Promise<T> {
    using session = await this.sessions.take(daemon, at);
    try {
      const answer = await build(daemon.client, { definition }, {
        session: session.id,
        entitlements: [],
        exporters: [HAND_OVER],
        signal,
      });
      const [file = ""] = await newLayers(answer["containerimage.digest"] ?? "", 0, session.exchange);
      return await read(file);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isLost(error)) throw unavailable([daemon.address.text], error);
      throw error;
    }
  }
}

async function readSmall(
  bytes: Uint8Array,
  { blobs }: Pick<Store, "blobs">,
  each?: (entry: TarEntry) => void,
): Promise<FoundLayer> {
  const file = `${await blobs.scratch()}/small-${crypto.randomUUID()}`;
  await Deno.writeFile(file, bytes);
  try {
    const { diffId, ...index } = await indexLayer(openLayer(file), each);
    return { diffId, index };
  } finally {
    await Deno.remove(file);
  }
}
