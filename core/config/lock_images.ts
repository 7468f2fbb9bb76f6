import type { LockResult } from "../api.ts";
import { formatLock } from "./lock_file.ts";
import type { Digest } from "../contract/digest.ts";
import type { Session } from "../session/session.ts";

/** Resolves every base image whose name can move and writes dappfile.lock; entries present stay unless `update`. */
export async function lockImages(session: Session, update: boolean): Promise<LockResult> {
  const { lock, lockPath } = await session.loaded();
  const { images } = await session.config();
  const names = [...new Set(images.flatMap(({ base }) => base.kind === "image" ? [base.name] : []))].sort();
  const entries = new Map<string, Digest>();
  const rows: LockResult["entries"][number][] = [];
  for (const name of names) {
    const old = lock.get(name);
    const pin = old && !update
      ? old
      : (await (await session.source(name)).resolve(undefined, session.options.signal)).pin;
    if (!pin) continue;
    entries.set(name, pin);
    rows.push({ name, digest: pin, change: !old ? "added" : old === pin ? "unchanged" : "updated" });
  }
  for (const [name, digest] of lock) {
    if (!entries.has(name)) rows.push({ name, digest, change: "removed" });
  }
  if (!session.options.dryRun && rows.some((row) => row.change !== "unchanged")) {
    const temp = `${lockPath}.${crypto.randomUUID().slice(0, 8)}`;
    await Deno.writeTextFile(temp, formatLock(entries));
    await Deno.rename(temp, lockPath);
  }
  return { file: lockPath, entries: rows };
}
