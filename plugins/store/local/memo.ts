import { type Guard, type Memo, sha256Hex } from "../../../core/contract/plugin.ts";
import { seal, unseal } from "../../../lib/sealed.ts";
import { remember } from "./files.ts";
import type { ScratchFiles } from "./scratch_files.ts";
import { ifPresent } from "../../../lib/file_failure.ts";

/** Derived values as sealed JSON files `memo/<kind>/<key>`. */
export class LocalMemo implements Memo {
  constructor(readonly root: string, readonly files: ScratchFiles) {}

  async get<T>(kind: string, key: string, is: Guard<T>): Promise<T | undefined> {
    const path = await this.#path(kind, key);
    const sealed = await ifPresent(() => Deno.readFile(path));
    const text = sealed === undefined ? undefined : await unseal(sealed);
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return is(value) ? value : undefined;
  }

  async put(kind: string, key: string, value: unknown): Promise<void> {
    const path = await this.#path(kind, key);
    const sealed = await seal(JSON.stringify(value));
    await remember(() => this.files.write(path, sealed, { durable: false }));
  }

  async #path(kind: string, key: string): Promise<string> {
    const name = /^[\w-][\w.-]{0,119}$/.test(key) ? key : await sha256Hex(key);
    return `${this.root}/memo/${kind}/${name}`;
  }
}
