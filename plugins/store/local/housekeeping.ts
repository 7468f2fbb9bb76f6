import type {
  Housekeeping,
  Signature,
  StoreReport,
  StoreSection,
  SweepOptions,
  SweepReport,
} from "../../../core/contract/plugin.ts";
import { fileName } from "./files.ts";
import type { StoreParts } from "./parts.ts";
import { ifPresent } from "../../../lib/file_failure.ts";

/** What is remembered between builds. The journal of deleted tags is none of it. */
const SECTIONS = {
  builds: "kept between builds",
  history: "what was built before, for explain",
  memo: "what was found out before",
} as const;

/** Keeps a store's directory sound and small. */
export class LocalHousekeeping implements Housekeeping {
  constructor(readonly store: StoreParts) {}

  async check(options: { readonly repair: boolean }): Promise<StoreReport> {
    const { checkStore } = await import("./check.ts");
    return await checkStore(this.store, options.repair);
  }

  async forget(signature: Signature): Promise<void> {
    await ifPresent(() => Deno.remove(`${this.store.stages.directory}/${signature}`));
  }

  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    const { sweepBlobs } = await import("./sweep.ts");
    return await sweepBlobs(this.store, options);
  }

  async directory(...parts: string[]): Promise<string> {
    const kept = `${this.store.path}/builds`;
    await Deno.mkdir(kept, { recursive: true, mode: 0o700 });
    await Deno.chmod(kept, 0o700); // stages leave programs with setuid and device nodes in it, for nobody else to use
    const path = [kept, ...parts.map(fileName)].join("/");
    await Deno.mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }

  async makeRoom(): Promise<boolean> {
    return await this.store.reserve.giveUp();
  }

  async sections(): Promise<readonly StoreSection[]> {
    const found: StoreSection[] = [];
    for (const [name, what] of Object.entries(SECTIONS)) {
      const path = `${this.store.path}/${name}`;
      if (!await ifPresent(() => Deno.stat(path))) continue;
      const remove = async () => void await ifPresent(() => Deno.remove(path, { recursive: true }));
      found.push({ path, what, remove });
    }
    return found;
  }
}
