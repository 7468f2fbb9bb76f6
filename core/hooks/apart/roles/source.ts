/** A source of base images whose plugin runs apart: layers come into the store only as what their digests say. */
import type { FetchIo, ImageSource } from "../../../contract/plugin.ts";
import type { SourceRequest } from "../../../contract/source.ts";
import { isImageState } from "../../../contract/guards.ts";
import { isCount, isText } from "../../../../lib/guard.ts";
import { plain } from "../../../../lib/plain.ts";
import { Report } from "../reports.ts";
import { giveStore } from "./given_store.ts";
import { accessFor } from "./registry.ts";
import { requireConfig, requireLayerType } from "./image.ts";
import type { Role } from "./role.ts";
import * as schemas from "./schemas.ts";
import { sourceShape } from "./shapes.ts";

/** What the plugin is asked with. */
export async function sourceRequest(request: SourceRequest, role: Role): Promise<unknown> {
  const { access, name, store } = request;
  return {
    ...request,
    ...(access && { access: accessFor(name, access, role) }),
    store: await giveStore(store, role),
  };
}

/** The source that a plugin answered with. */
export function sourceApart(answer: unknown, role: Role, { store }: SourceRequest): ImageSource {
  const remote = role.requireObject(answer, sourceShape);
  return {
    resolve: (pin, signal) =>
      role.ask(remote, "resolve", [pin, signal], { signal, schema: schemas.resolvedImage }),
    async fetch(image, io) {
      const { given, goesOn } = watched(io);
      const { signal } = io;
      const state = await role.tell(remote, "fetch", [image, given], { signal, goesOn });
      if (!isImageState(state)) throw role.wrong("it is no image", "fetch");
      const config = requireConfig(state, role, "fetch");
      for (const layer of state.layers) requireLayerType(layer, role, "fetch");
      for (const { digest, size } of state.layers) {
        const found = await store.blobs.size(digest);
        if (found === size) continue;
        const why = found === undefined ? "is not in the store" : `has ${found} bytes, wanted are ${size}`;
        throw role.wrong(`layer ${digest} ${why}`, "fetch");
      }
      return { ...state, config };
    },
    [Symbol.asyncDispose]: () => role.dispose(remote),
  };
}

/** What fetching is told with, and when it was last seen to go on. */
function watched({ signal, progress, note }: FetchIo) {
  let last = 0;
  const given = {
    signal,
    progress: new Report((id: unknown, what: unknown, done: unknown, total: unknown) => {
      if (!isText(id) || !isText(what) || !isCount(done) || !isCount(total)) {
        throw new TypeError("progress is told by two texts and two numbers of bytes");
      }
      last = performance.now();
      progress(plain(id), plain(what), done, total);
    }, 1),
    note(text: unknown) {
      if (!isText(text)) throw new TypeError("a note is a text");
      note(plain(text));
    },
  };
  return { given, goesOn: () => last };
}
