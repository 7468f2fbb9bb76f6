import { isSignature, type LockOptions, type Locks, type Signature } from "../../../core/contract/plugin.ts";
import { fileName } from "./files.ts";
import { lockFile } from "./locks.ts";
import type { ScratchFiles } from "./scratch_files.ts";
import { ifPresent } from "../../../lib/file_failure.ts";

/** File in a process's scratch directory with the signatures that it relies on. */
const CLAIMS = "claims";

/** Locks as `flock` files in `locks/`, claims as files in scratch directories. */
export class LocalLocks implements Locks {
  constructor(readonly root: string, readonly files: ScratchFiles) {}

  async take(name: string, options: LockOptions): Promise<AsyncDisposable> {
    return await lockFile(`${this.root}/locks/${fileName(name)}`, name, options);
  }

  async claim(signatures: readonly Signature[]): Promise<void> {
    Deno.writeTextFileSync(`${await this.files.directory()}/${CLAIMS}`, signatures.join("\n"));
  }

  async claimed(): Promise<ReadonlyMap<Signature, string>> {
    const own = this.files.opened;
    const out = new Map<Signature, string>();
    await ifPresent(async () => {
      for await (const { name } of Deno.readDir(this.files.root)) {
        const dir = `${this.files.root}/${name}`;
        if (dir === own) continue;
        const text = await ifPresent(() => Deno.readTextFile(`${dir}/${CLAIMS}`));
        const who = await ifPresent(() => Deno.readTextFile(`${dir}/.lock`));
        for (const line of text?.split("\n") ?? []) {
          if (isSignature(line)) out.set(line, who || "another process");
        }
      }
    });
    return out;
  }
}
