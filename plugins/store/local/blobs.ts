import { type Blobs, type Digest, digestHex, digestOf, EngineError } from "../../../core/contract/plugin.ts";
import { rename, renameDurably, syncPath } from "../../../lib/durable.ts";
import { atPath, ifPresent } from "../../../lib/file_failure.ts";
import { isFileLook, isSameLook, lookOf } from "../../../lib/file_look.ts";
import type { LocalMemo } from "./memo.ts";
import type { ScratchFiles } from "./scratch_files.ts";

/** How files looked when they were stored. */
const MEMO = "blob-look";

/** Blobs as files `blobs/sha256/<hex>`, complete as soon as they have this name. */
export class LocalBlobs implements Blobs {
  constructor(readonly root: string, readonly files: ScratchFiles, readonly memo: LocalMemo) {}

  get directory(): string {
    return `${this.root}/blobs`;
  }

  scratch(): Promise<string> {
    return this.files.directory();
  }

  path(digest: Digest): string {
    return `${this.directory}/sha256/${digestHex(digest)}`;
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await ifPresent(() => Deno.stat(this.path(digest))))?.size;
  }

  async adopt(file: string, digest: Digest, { unsettled = false } = {}): Promise<void> {
    // What records may name already is replaced by nothing that can still be lost.
    const replaces = unsettled && await this.size(digest) !== undefined;
    await (unsettled && !replaces ? rename : renameDurably)(file, this.path(digest));
    try {
      await this.memo.put(MEMO, digestHex(digest), lookOf(await Deno.stat(this.path(digest))));
    } catch {
      // it is read once more before it is sent
    }
  }

  async settle(digest: Digest): Promise<void> {
    const path = this.path(digest);
    using file = await Deno.open(path, { read: true });
    try {
      await atPath(path, () => file.sync());
      await syncPath(`${this.directory}/sha256`);
    } catch (error) {
      // The system may tell of this only once, and whoever finds a blob relies on it.
      await Deno.remove(path).catch(() => {});
      throw error;
    }
  }

  async isUntouched(digest: Digest): Promise<boolean> {
    const before = await this.memo.get(MEMO, digestHex(digest), isFileLook);
    const now = before && await ifPresent(async () => lookOf(await Deno.stat(this.path(digest))));
    return now !== undefined && isSameLook(before!, now);
  }

  async put(bytes: Uint8Array) {
    const digest = await digestOf(bytes);
    if (await this.size(digest) !== bytes.length) {
      await this.files.write(this.path(digest), bytes, { durable: true });
    }
    return { mediaType: "application/octet-stream", digest, size: bytes.length };
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const bytes = await ifPresent(() => Deno.readFile(this.path(digest)));
    if (!bytes) {
      throw new EngineError("STORE_CORRUPT", `Cannot read blob ${digest}: it is not in store "${this.root}"`);
    }
    if (await digestOf(bytes) !== digest) {
      throw new EngineError(
        "STORE_CORRUPT",
        `Cannot read blob ${digest}: its content in store "${this.root}" differs`,
      );
    }
    return bytes;
  }
}
