/** Writing the tar of a layer. Loads nothing that compresses before it has to. */
import { ifPresent } from "../file_failure.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { TarSink } from "./file_layer.ts";
import type { LayerWriter, LayerWriterOptions, WrittenLayer } from "./writer.ts";

/** Bytes of tar up to which a layer is small: unpacking and compressing it takes no time. */
export const SMALL_TAR = 1 << 20;

/** The tar of a small layer, in a file as it is. */
export interface SmallTar {
  /** Digest of the tar. */
  readonly diffId: Digest;
  readonly tar: string;
  /** Bytes of tar. */
  readonly size: number;
}

/** Takes a tar. One that is long is compressed on the way, one that is small is left to whoever has time for it. */
export class TarWriter implements TarSink {
  readonly #options: LayerWriterOptions;
  readonly #start = new Uint8Array(SMALL_TAR);
  #have = 0;
  #long: LayerWriter | undefined;

  /** @param options `file`: where the layer goes when it is long; the tar of a small one goes beside it */
  constructor(options: LayerWriterOptions) {
    this.#options = options;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#long) return this.#long.write(chunk);
    if (this.#have + chunk.length > SMALL_TAR) return this.#compress(chunk);
    this.#start.set(chunk, this.#have);
    this.#have += chunk.length;
  }

  /** Ends the tar; the file is complete when this settles. After a failure call `abort`. */
  async close(): Promise<SmallTar | WrittenLayer> {
    if (this.#long) return await this.#long.close();
    const bytes = this.#start.subarray(0, this.#have);
    const tar = this.#tar;
    Deno.writeFileSync(tar, bytes, { mode: 0o600 });
    return { diffId: await digestOf(bytes), tar, size: bytes.length };
  }

  /** Stops and removes what was written. */
  async abort(): Promise<void> {
    await this.#long?.abort();
    await ifPresent(() => Deno.remove(this.#tar));
  }

  get #tar(): string {
    return `${this.#options.file}.tar`;
  }

  async #compress(chunk: Uint8Array): Promise<void> {
    const { createLayerWriter } = await import("./writer.ts");
    this.#long = await createLayerWriter(this.#options);
    await this.#long.write(this.#start.subarray(0, this.#have));
    await this.#long.write(chunk);
  }
}
