import {
  type Digest,
  digestFromHex,
  digestHex,
  digestOf,
  EngineError,
  type HistoryRow,
  isSignature,
  type LockOptions,
  messageOf,
  sha256Hex,
  type Signature,
  type StageRecord,
  type Store,
  type StoreReport,
  type SweepOptions,
  type SweepReport,
} from "../../../core/contract/plugin.ts";
import { fileName, hasDirectory, ifPresent, listFiles, publishFile } from "./files.ts";
import { lockFile } from "./locks.ts";
import type { Scratch } from "./scratch.ts";

/** Of the store's layout and of the stages in it. In a store of format 1 all is where it is now, but no stage is found. */
const FORMAT = "2";
const OLD_FORMAT = "1";
const HISTORY_ROWS = 50;
/** File in a process's scratch directory with the signatures that it relies on. */
const CLAIMS = "claims";

/**
 * The store as a directory:
 *
 *     blobs/sha256/<hex>   layers, configs, manifests, listings; complete as soon as they have this name
 *     stages/<signature>   stage records (JSON); written after every blob they name
 *     history/<project>/<image>/<stage>   signatures built before, newest first
 *     memo/                derived data, disposable
 *     run/<id>/            scratch of a living process
 *     locks/               flock files of stages being built
 *     use                  locked, shared, by every process that has the store open; alone by one that sweeps
 *     builds/              directories kept between builds
 *
 * Builders keep caches of their own beside these.
 */
export class LocalStore implements Store {
  #scratch: Promise<Scratch> | undefined;
  #serial = 0;
  #closed = false;

  private constructor(readonly path: string, readonly use: Deno.FsFile, readonly upgraded: boolean) {}

  /** Opens or creates the store; `upgraded` tells that stages of an older format are in it. @throws STORE_FAILED */
  static async open(path: string): Promise<LocalStore> {
    let use: Deno.FsFile;
    let upgraded = false;
    try {
      const found = await ifPresent(() => Deno.readTextFile(`${path}/format`));
      if (found === undefined) {
        await Deno.mkdir(`${path}/blobs/sha256`, { recursive: true, mode: 0o700 });
        await Deno.mkdir(`${path}/locks`, { recursive: true, mode: 0o700 });
        await Deno.writeTextFile(`${path}/format`, FORMAT + "\n");
      } else if (found.trim() === OLD_FORMAT) {
        upgraded = (await listFiles(`${path}/stages`)).length > 0;
        await Deno.writeTextFile(`${path}/format`, FORMAT + "\n");
      } else if (found.trim() !== FORMAT && found.trim() !== "") {
        throw new EngineError(
          "STORE_FAILED",
          `Cannot open store "${path}": it has format ${found.trim()}, this release reads format ${FORMAT}`,
          { fix: "Name another directory with --home, or remove this one" },
        );
      }
      use = await Deno.open(`${path}/use`, { read: true, write: true, create: true, mode: 0o600 });
      await use.lock(false);
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new EngineError("STORE_FAILED", `Cannot open store "${path}": ${messageOf(error)}`, {
        cause: error,
      });
    }
    const store = new LocalStore(path, use, upgraded);
    // What a killed process left goes now, even if this one needs no scratch directory itself.
    if (await hasDirectory(`${path}/run`)) {
      await (await import("./scratch.ts")).sweep(`${path}/run`);
    }
    return store;
  }

  async scratch(): Promise<string> {
    this.#scratch ??= import("./scratch.ts").then((m) => m.openScratch(`${this.path}/run`));
    return (await this.#scratch).path;
  }

  blobPath(digest: Digest): string {
    return `${this.path}/blobs/sha256/${digestHex(digest)}`;
  }

  async blobSize(digest: Digest): Promise<number | undefined> {
    return (await ifPresent(() => Deno.stat(this.blobPath(digest))))?.size;
  }

  async adoptBlob(file: string, digest: Digest): Promise<void> {
    await publishFile(file, this.blobPath(digest), true);
  }

  async putBlob(bytes: Uint8Array) {
    const digest = await digestOf(bytes);
    if (await this.blobSize(digest) !== bytes.length) {
      const temp = await this.#temp();
      await Deno.writeFile(temp, bytes);
      await this.adoptBlob(temp, digest);
    }
    return { mediaType: "application/octet-stream", digest, size: bytes.length };
  }

  async getBlob(digest: Digest): Promise<Uint8Array> {
    const bytes = await ifPresent(() => Deno.readFile(this.blobPath(digest)));
    if (!bytes) {
      throw new EngineError("STORE_CORRUPT", `Cannot read blob ${digest}: it is not in store "${this.path}"`);
    }
    if (await digestOf(bytes) !== digest) {
      throw new EngineError(
        "STORE_CORRUPT",
        `Cannot read blob ${digest}: its content in store "${this.path}" differs`,
      );
    }
    return bytes;
  }

  async stage(signature: Signature): Promise<StageRecord | undefined> {
    const record = await this.record(signature);
    if (!record) return undefined;
    const present = await Promise.all(
      record.image.layers.map(async (layer) => await this.blobSize(layer.digest) === layer.size),
    );
    return present.every(Boolean) ? record : undefined;
  }

  /** The record, whether or not its blobs are here. */
  async record(signature: Signature): Promise<StageRecord | undefined> {
    const record = await this.anyRecord(signature);
    return record?.format === 2 ? record : undefined;
  }

  /** The record, even if it is of an older format: for those that keep house. */
  async anyRecord(signature: Signature): Promise<StageRecord | undefined> {
    const text = await ifPresent(() => Deno.readTextFile(`${this.path}/stages/${signature}`));
    if (text === undefined) return undefined;
    try {
      const record = JSON.parse(text) as StageRecord;
      return record.signature === signature ? record : undefined;
    } catch {
      return undefined; // torn by a failing disk: as good as absent
    }
  }

  async putStage(record: StageRecord): Promise<void> {
    await this.#write(`${this.path}/stages/${record.signature}`, JSON.stringify(record), true);
  }

  async history(project: string, image: string, stage: string): Promise<readonly HistoryRow[]> {
    const text = await ifPresent(() => Deno.readTextFile(this.#historyPath(project, image, stage)));
    const rows: HistoryRow[] = [];
    for (const line of text?.split("\n") ?? []) {
      const [at, signature] = line.split(" ");
      if (at && signature) rows.push({ at, signature: signature as Signature });
    }
    return rows;
  }

  async addHistory(project: string, image: string, stage: string, signature: Signature): Promise<void> {
    const old = await this.history(project, image, stage);
    if (old[0]?.signature === signature) return;
    const rows = [
      { at: new Date().toISOString(), signature },
      ...old.filter((r) => r.signature !== signature),
    ];
    const text = rows.slice(0, HISTORY_ROWS).map((r) => `${r.at} ${r.signature}\n`).join("");
    await this.#write(this.#historyPath(project, image, stage), text, false);
  }

  async memo(kind: string, key: string): Promise<unknown> {
    const text = await ifPresent(async () => await Deno.readTextFile(await this.#memoPath(kind, key)));
    try {
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  async putMemo(kind: string, key: string, value: unknown): Promise<void> {
    await this.#write(await this.#memoPath(kind, key), JSON.stringify(value), false);
  }

  async keptDirectory(...parts: string[]): Promise<string> {
    const kept = `${this.path}/builds`;
    await Deno.mkdir(kept, { recursive: true, mode: 0o700 });
    await Deno.chmod(kept, 0o700); // stages leave programs with setuid and device nodes in it, for nobody else to use
    const path = [kept, ...parts.map(fileName)].join("/");
    await Deno.mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }

  async lock(name: string, options: LockOptions): Promise<AsyncDisposable> {
    return await lockFile(`${this.path}/locks/${fileName(name)}`, name, options);
  }

  async check(options: { readonly repair: boolean }): Promise<StoreReport> {
    const { checkStore } = await import("./check.ts");
    return await checkStore(this, options.repair);
  }

  async *stages(): AsyncIterable<StageRecord> {
    for (const name of await listFiles(`${this.path}/stages`)) {
      const record = isSignature(name) ? await this.anyRecord(name) : undefined;
      if (record) yield record;
    }
  }

  async removeStage(signature: Signature): Promise<void> {
    await ifPresent(() => Deno.remove(`${this.path}/stages/${signature}`));
  }

  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    const { sweepBlobs } = await import("./sweep.ts");
    return await sweepBlobs(this, options);
  }

  async claim(signatures: readonly Signature[]): Promise<void> {
    await Deno.writeTextFile(`${await this.scratch()}/${CLAIMS}`, signatures.join("\n"));
  }

  async claimed(): Promise<ReadonlyMap<Signature, string>> {
    const own = await this.scratch();
    const out = new Map<Signature, string>();
    for await (const { name } of Deno.readDir(`${this.path}/run`)) {
      const dir = `${this.path}/run/${name}`;
      if (dir === own) continue;
      const text = await ifPresent(() => Deno.readTextFile(`${dir}/${CLAIMS}`));
      const who = await ifPresent(() => Deno.readTextFile(`${dir}/.lock`));
      for (const line of text?.split("\n") ?? []) {
        if (isSignature(line)) out.set(line, who || "another process");
      }
    }
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#scratch)?.[Symbol.asyncDispose]();
    this.#scratch = undefined;
    // Closing lets go of the lock; disposing twice is fine.
    if (!this.#closed) this.use.close();
    this.#closed = true;
  }

  #historyPath(project: string, image: string, stage: string): string {
    return `${this.path}/history/${fileName(project)}/${fileName(image)}/${fileName(stage)}`;
  }

  async #memoPath(kind: string, key: string): Promise<string> {
    const name = /^[\w.-]{1,120}$/.test(key) ? key : digestHex(digestFromHex(await sha256Hex(key)));
    return `${this.path}/memo/${kind}/${name}`;
  }

  async #temp(): Promise<string> {
    return `${await this.scratch()}/s${this.#serial++}`;
  }

  async #write(path: string, text: string, durable: boolean): Promise<void> {
    const temp = await this.#temp();
    await Deno.writeTextFile(temp, text);
    await publishFile(temp, path, durable);
  }
}
