import { EngineError, fullFact, messageOf, type Store } from "../../../core/contract/plugin.ts";
import { fileFailureOf, ifPresent } from "../../../lib/file_failure.ts";
import { LocalBlobs } from "./blobs.ts";
import { hasDirectory, listFiles } from "./files.ts";
import { LocalHousekeeping } from "./housekeeping.ts";
import { LocalMemo } from "./memo.ts";
import { LocalLocks } from "./process_locks.ts";
import { Reserve } from "./reserve.ts";
import { ScratchFiles } from "./scratch_files.ts";
import { LocalStages } from "./stages.ts";

/** Of the store's layout and of the stages in it. In a store of format 1 all is where it is now, but no stage is found. */
const FORMAT = "2";
const OLD_FORMAT = "1";

/**
 * The store as a directory:
 *
 *     blobs/sha256/<hex>   layers, configs, manifests, listings; complete as soon as they have this name
 *     stages/<signature>   stage records (JSON); written after every blob they name
 *     history/<project>/<image>/<stage>   signatures built before, newest first
 *     memo/<kind>/<key>    derived data, disposable; a sweep removes what was not used for long
 *     run/<id>/            scratch of a living process
 *     locks/               flock files of stages being built
 *     reserve/             given up when the disk is full and something must be written in order to remove
 *     use                  locked, shared, by every process that has the store open; alone by one that sweeps
 *     builds/              directories kept between builds
 *
 * Builders keep caches of their own beside these.
 */
export class LocalStore implements Store {
  readonly blobs: LocalBlobs;
  readonly stages: LocalStages;
  readonly memo: LocalMemo;
  readonly locks: LocalLocks;
  readonly housekeeping: LocalHousekeeping;
  readonly reserve: Reserve;
  readonly #files: ScratchFiles;
  #closed = false;

  private constructor(readonly path: string, readonly use: Deno.FsFile, readonly upgraded: boolean) {
    this.reserve = new Reserve(path);
    const files = this.#files = new ScratchFiles(`${path}/run`, () => this.reserve.keep());
    this.memo = new LocalMemo(path, files);
    this.blobs = new LocalBlobs(path, files, this.memo);
    this.stages = new LocalStages(path, files, this.blobs);
    this.locks = new LocalLocks(path, files);
    this.housekeeping = new LocalHousekeeping(this);
  }

  /** Opens or creates the store; `upgraded` tells that stages of an older format are in it. @throws STORE_FAILED */
  static async open(path: string): Promise<LocalStore> {
    let use: Deno.FsFile;
    let upgraded = false;
    try {
      const found = await ifPresent(() => Deno.readTextFile(`${path}/format`));
      const openUse = () => Deno.open(`${path}/use`, { read: true, write: true, create: true, mode: 0o600 });
      if (found === undefined) {
        await Deno.mkdir(`${path}/blobs/sha256`, { recursive: true, mode: 0o700 });
        await Deno.mkdir(`${path}/locks`, { recursive: true, mode: 0o700 });
        // In a checkout, as in jobs of CI that keep it there between runs, it is no part of the project.
        Deno.writeTextFileSync(`${path}/.gitignore`, "*\n");
        (await openUse()).close(); // opening a store that is there must need no space
        Deno.writeTextFileSync(`${path}/format`, FORMAT + "\n");
      } else if (found.trim() === OLD_FORMAT) {
        upgraded = (await listFiles(`${path}/stages`)).length > 0;
        Deno.writeTextFileSync(`${path}/format`, FORMAT + "\n"); // as long as what is there
      } else if (found.trim() !== FORMAT && found.trim() !== "") {
        throw new EngineError(
          "STORE_FAILED",
          `Cannot open store "${path}": it has format ${found.trim()}, this release reads format ${FORMAT}`,
          { fix: "Name another directory with --home, or remove this one" },
        );
      }
      use = await openUse();
      await use.lock(false);
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new EngineError("STORE_FAILED", `Cannot open store "${path}": ${messageOf(error)}`, {
        cause: error,
        ...fullFact(fileFailureOf(error)),
      });
    }
    const store = new LocalStore(path, use, upgraded);
    // What a killed process left goes now, even if this one needs no scratch directory itself.
    if (await hasDirectory(`${path}/run`)) {
      await (await import("../../../lib/scratch.ts")).sweep(`${path}/run`);
    }
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#files[Symbol.asyncDispose]();
    } finally {
      // Closing lets go of the lock; disposing twice is fine.
      if (!this.#closed) this.use.close();
      this.#closed = true;
    }
  }
}
