import { isFull } from "../../lib/file_failure.ts";
import { lockAlone } from "../../lib/file_lock.ts";
import { blobsOf, manifestsOf, parseManifest } from "../../lib/oci/documents.ts";
import { blobFile, layoutDirectory } from "../../lib/oci/layout.ts";
import type { LayoutDirectory } from "../../lib/oci/layout_dir.ts";
import type { Digest } from "../../core/contract/plugin.ts";
import { Shared } from "../../lib/memoize.ts";

const MAX_MANIFEST = 4 << 20;
/** Other tools write blobs before the index that names them, without our lock; what is this new may be theirs. */
const SPARED_MS = 3600_000;

/** File systems tell times by seconds, some by two, and a little late. */
const COARSE_MS = 2000;

/**
 * Removes blobs that nothing names any more. Whoever stores blobs holds a shared lock until its work is done, so that a
 * sweep, which needs the lock for itself, never meets blobs whose manifest is still to come.
 */
export class LayoutSweeper implements AsyncDisposable {
  /** Whether something was untagged, so that a sweep makes sense at the end. */
  wanted = false;
  readonly #held = new Shared(async () => {
    await this.layout.prepare();
    const file = await this.#open();
    await file.lock(false);
    if (this.#clockOffMs === undefined) await this.hearClock();
    return file;
  });
  #clockOffMs: number | undefined;

  /** @param now the time of this machine, in milliseconds since 1970 */
  constructor(readonly layout: LayoutDirectory, readonly now: () => number = Date.now) {}

  /**
   * Milliseconds that the clock of the file system is ahead of this machine's, negative when it is behind: the server's,
   * where machines share a directory. Undefined until {@linkcode hearClock} has found out.
   */
  get clockOffMs(): number | undefined {
    return this.#clockOffMs;
  }

  /** Lets the file system say its time, which takes no space. Says nothing where there is no layout, or none to be written. */
  async hearClock(): Promise<void> {
    const sent = this.now();
    try {
      // Emptying a file that is empty is a change of it.
      using file = await Deno.open(this.#path, { write: true, truncate: true });
      const changed = (await file.stat()).mtime?.getTime();
      if (changed === undefined) return;
      const received = this.now();
      const off = changed - (sent + received) / 2;
      this.#clockOffMs = Math.abs(off) <= COARSE_MS + (received - sent) / 2 ? 0 : Math.round(off);
    } catch {
      // whoever writes there says what is wrong
    }
  }

  /** Keeps sweepers out until this is disposed of. */
  async hold(): Promise<void> {
    await this.#held.get();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#held.take())?.close();
    if (!this.wanted) return;
    this.wanted = false;
    // Without room for the file nobody holds it, and whoever could make it now has young blobs only, which are spared.
    using file = await this.#open().catch((error) => {
      if (!isFull(error)) throw error;
      return undefined;
    });
    // Whoever stores blobs now will sweep, or the next cleanup will.
    if (file && !await lockAlone(file)) return;
    try {
      await this.layout.locked(
        new AbortController().signal,
        () => this.#sweep(this.now() + (this.#clockOffMs ?? 0) - SPARED_MS),
      );
    } catch {
      // A manifest that cannot be read ends the sweep, since what it names is not known: only space is lost.
    }
  }

  #open(): Promise<Deno.FsFile> {
    return Deno.open(this.#path, { write: true, create: true });
  }

  get #path(): string {
    return `${this.layout.dir}/.dapp-uploads`;
  }

  async #sweep(before: number): Promise<void> {
    const named = new Set<string>();
    const visit = async (digest: Digest) => {
      if (named.has(digest)) return;
      named.add(digest);
      const bytes = await layoutDirectory(this.layout.dir).read(blobFile(digest), MAX_MANIFEST);
      if (!bytes) return;
      const document = parseManifest(bytes, `manifest ${digest} of "${this.layout.dir}"`);
      for (const { digest } of blobsOf(document)) named.add(digest);
      if (document.kind === "index") {
        for (const entry of manifestsOf(document.index)) await visit(entry.digest);
      }
    };
    for (const { digest } of (await this.layout.index()).manifests) await visit(digest);
    const dir = `${this.layout.dir}/blobs/sha256`;
    for await (const { name } of Deno.readDir(dir)) {
      if (named.has(`sha256:${name}`)) continue;
      const path = `${dir}/${name}`;
      const { ctime } = await Deno.stat(path);
      if (ctime && ctime.getTime() < before) await Deno.remove(path);
    }
  }
}
