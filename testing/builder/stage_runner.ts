/** What builder tests share: running steps on top of each other and reading the layers they give. */
import type { Builder, BuildStep, LayerRef, StepIo, StepNetwork, Store } from "../../core/contract/plugin.ts";
import { openLayer } from "../../lib/layer/open.ts";
import { TarParser } from "../../lib/tar/parse.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import { refOf } from "./layers.ts";
import { bringLayer, shareImage, type TestShare } from "./test_share.ts";

export const EPOCH = 1_000_000_000;

/** A member of a layer, with the content of small files. */
export interface Member extends TarEntry {
  readonly content: string;
}

export interface Ran {
  readonly output: string;
  /** Members of the new layer by path, in order; empty when nothing changed. */
  readonly members: ReadonlyMap<string, Member>;
  readonly diffId?: string;
  readonly digest?: string;
  /** Parents of a next step. */
  readonly image: readonly LayerRef[];
}

export interface StageOptions
  extends
    Partial<Omit<BuildStep, "commands" | "parents" | "network">>,
    Pick<StepIo, "secret" | "sshAgent" | "placed" | "ran"> {
  /** "default": none in particular is asked for. @default "host" */
  readonly network?: StepNetwork | "default";
  readonly signal?: AbortSignal;
  readonly onFailure?: NonNullable<StepIo["onFailure"]>;
  onOutput?(text: string, stream: "stdout" | "stderr"): void;
}

/** Runs steps with a builder and keeps their layers in a store; with `share`, their images are in a registry. */
export class StageRunner {
  constructor(readonly builder: Builder, readonly store: Store, readonly share?: TestShare) {}

  async run(
    parents: readonly LayerRef[],
    commands: readonly string[],
    options: StageOptions = {},
  ): Promise<Ran> {
    const { signal = new AbortController().signal, onFailure, onOutput, ...told } = options;
    const { placed, ran, secret, sshAgent, ...more } = told;
    const { network = "host", ...rest } = more;
    const { share, store } = this;
    let output = "";
    const { layer } = await this.builder.run({
      label: "app/install",
      signature: "0".repeat(64) as BuildStep["signature"],
      forced: true, // a daemon may know the result of an earlier case
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      mounts: [],
      ...(network !== "default" && { network }),
      epoch: EPOCH,
      compression: { kind: "gzip", level: 6 },
      ...rest,
      ...(share && { shared: () => shareImage(share, parents, store) }),
      parents,
      commands,
    }, {
      signal,
      ...(onFailure && { onFailure }),
      ...(placed && { placed }),
      ...(ran && { ran }),
      ...(secret && { secret }),
      ...(sshAgent && { sshAgent }),
      output(stream, text) {
        output += text;
        onOutput?.(text, stream);
      },
    });
    if (!layer) return { output, members: new Map(), image: parents };
    const made = await layer.blob;
    const { mediaType, digest, size, diffId } = made;
    const blob = { mediaType, digest, size, diffId };
    if ("file" in made) await store.blobs.adopt(made.file, digest);
    else if (share) await bringLayer(share, blob, store);
    return {
      output,
      members: await readMembers(this.store.blobs.path(blob.digest)),
      diffId: blob.diffId,
      digest: blob.digest,
      image: [...parents, refOf(blob)],
    };
  }

  /** What commands print, without the echo of the commands; nothing they change is kept. */
  async ask(parents: readonly LayerRef[], command: string, options: StageOptions = {}): Promise<string> {
    const { output } = await this.run(parents, [command], options);
    return output.slice(`$ ${command}\n`.length);
  }
}

async function readMembers(file: string): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  const decoder = new TextDecoder();
  let current: TarEntry | undefined;
  let content = "";
  const parser = new TarParser({
    entry(entry) {
      current = entry;
      content = "";
    },
    data(chunk) {
      if (content.length < 4096) content += decoder.decode(chunk.subarray(0, 4096));
    },
    end() {
      if (members.has(current!.path)) throw new Error(`"${current!.path}" is in the layer twice`);
      members.set(current!.path, { ...current!, content });
    },
  });
  for await (const chunk of openLayer(file)) parser.push(chunk);
  parser.finish();
  return members;
}
