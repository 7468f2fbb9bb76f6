import { join } from "@std/path/posix/join";
import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { compileGlob } from "../../lib/glob.ts";
import { type FileItem, indexOfPlan, planFileLayer, writeFileLayer } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { readFiles } from "../../lib/layer/read_files.ts";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import type { ImportRule } from "../contract/config.ts";
import type { Digest } from "../contract/digest.ts";
import { EngineError } from "../contract/errors.ts";
import { imageKey } from "../sign/graph.ts";
import { Owners } from "./layers.ts";
import { below, layerPath } from "../../lib/layer/paths.ts";
import { type LayerWorker, type StageOutput, type StageTask, storedLayer } from "./stage_output.ts";
import type { LayerRef } from "../contract/builder.ts";

/** Copies the chosen files of artifacts into one layer. @throws IMPORT_FAILED, OWNER_UNKNOWN */
export async function deliverImports(
  worker: LayerWorker,
  task: StageTask,
  rules: readonly ImportRule[],
): Promise<readonly LayerRef[]> {
  const { reader, session, store } = worker;
  const { parent, others } = task;
  const fs = await reader.fs(parent.layers);
  const owners = new Owners(reader, parent.layers, fs);
  await using spool = await Spool.open(await worker.temp());
  const items = new Map<string, FileItem>();
  for (const rule of rules) {
    const artifact = others.get(imageKey("artifact", rule.artifact))!;
    const owner = {
      ...(rule.owner !== undefined && { uid: (await owners.resolve(rule.owner, undefined)).uid }),
      ...(rule.group !== undefined && { gid: (await owners.resolve(undefined, rule.group)).gid }),
    };
    const emit = (text: string) => session.options.emit({ type: "note", level: "warn", text });
    for (const item of await importItems(worker, rule, artifact, fs, spool, emit)) {
      items.set(item.path, { ...item, ...owner });
    }
  }
  const plan = planFileLayer({
    items: [...items.values()],
    parent: fs,
    newDirOwner: { uid: 0, gid: 0 },
    epoch: session.options.epoch,
  });
  const file = await worker.temp();
  const writer = createLayerWriter({
    file,
    compression: session.options.compression,
    threads: navigator.hardwareConcurrency,
    expectedSize: spool.size,
  });
  try {
    await writeFileLayer(writer, plan, (item) => spool.read(item.path));
    const written = await writer.close();
    const layer = { ...written, digest: written.digest as Digest, diffId: written.diffId as Digest };
    await store.adoptBlob(file, layer.digest);
    await reader.remember(layer.diffId, indexOfPlan(plan));
    return [storedLayer(layer)];
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The files of one rule under their new names, with their contents in the spool. */
async function importItems(
  worker: LayerWorker,
  rule: ImportRule,
  artifact: StageOutput,
  parent: ImageFs,
  spool: Spool,
  warn: (text: string) => void,
): Promise<FileItem[]> {
  const { reader } = worker;
  const fs = await reader.fs(artifact.layers);
  const { targets, dirs } = chooseEntries(rule, fs, parent, worker.session.options.epoch, warn);
  const wanted = new Map(Array.from(targets.keys(), (path) => [path, fs.lookup(path)!.layer]));
  const items: FileItem[] = dirs;
  await readFiles(await reader.files(artifact.layers), wanted, async (path, entry, chunks) => {
    const target = targets.get(path)!;
    if (entry.type === "file") await spool.add(target, entry.size, chunks);
    items.push(itemOf(entry, target));
  }, await worker.store.scratch());
  return items;
}

function itemOf({ type, mode, uid, gid, size, link, mtime, xattrs }: TarEntry, path: string): FileItem {
  const common = { path, mode, uid, gid, mtime, ...(xattrs && { xattrs }) };
  return type === "symlink" ? { ...common, type, size: 0, link: link! } : { ...common, type: "file", size };
}

/** Paths of the artifact's files with where they go, and the directories to make. */
function chooseEntries(
  rule: ImportRule,
  fs: ImageFs,
  parent: ImageFs,
  epoch: number,
  warn: (text: string) => void,
) {
  const add = fs.resolve(layerPath(rule.add), { last: true });
  const found = fs.lookup(add);
  const title = `"${rule.add}" of artifact ${rule.artifact}`;
  if (!found) {
    throw new EngineError("IMPORT_FAILED", `Cannot import ${title}: the artifact has no such path`, {
      fix: `It has ${nearestParent(fs, add)}; correct \`add\`, or make the path in the artifact`,
    });
  }
  const [include, exclude] = [rule.includePaths.map(compileGlob), rule.excludePaths.map(compileGlob)];
  const passes = (name: string) =>
    (include.length === 0 || include.some((g) => g.matches(name))) && !exclude.some((g) => g.matches(name));
  const targets = new Map<string, string>();
  const dirs: FileItem[] = [];
  const to = layerPath(rule.to);
  const place = (path: string, name: string, type: TarEntry["type"]) => {
    const inside = parent.lookup(parent.resolve(to, { last: true }))?.entry.type === "dir";
    const target = name === "" ? (inside ? join(to, basename(path)) : to) : join(to, name);
    if (type === "file" || type === "hardlink" || type === "symlink") targets.set(path, target);
    else warn(`Import of ${title}: "/${path}" is left out, it is a ${type}`);
  };
  if (found.entry.type !== "dir") {
    if (passes(basename(add))) place(add, "", found.entry.type);
  } else {
    for (const { entry } of [found, ...fs.walk(add)]) {
      const name = below(add, entry.path)!;
      if (name !== "" && !passes(name)) continue;
      if (entry.type !== "dir") {
        place(entry.path, name, entry.type);
        continue;
      }
      const target = name === "" ? to : join(to, name);
      const there = target === "" ||
        parent.lookup(parent.resolve(target, { last: true }))?.entry.type === "dir";
      if (there || (include.length > 0 && name === "")) continue;
      const { mode, uid, gid } = entry;
      dirs.push({ path: target, type: "dir", mode, uid, gid, size: 0, mtime: epoch });
    }
  }
  if (targets.size === 0 && (dirs.length === 0 || include.length > 0)) {
    throw new EngineError(
      "IMPORT_FAILED",
      `Cannot import ${title}: includePaths and excludePaths leave nothing of it`,
    );
  }
  return { targets, dirs };
}

/** The directory of a layer's path; "" is the top. */
function above(path: string): string {
  const dir = dirname(path);
  return dir === "." ? "" : dir;
}

/** The nearest existing directory above a missing path, with what is in it. */
function nearestParent(fs: ImageFs, path: string): string {
  let dir = path;
  do dir = above(dir); while (dir !== "" && !fs.lookup(dir));
  const names = fs.list(dir);
  const shown = names.slice(0, 12).join(", ") + (names.length > 12 ? ", ..." : "");
  return names.length === 0 ? `nothing in "/${dir}"` : `in "/${dir}": ${shown}`;
}

/** Contents set aside in one file, because artifacts give them in another order than the layer wants them. */
class Spool implements AsyncDisposable {
  readonly #parts = new Map<string, { readonly at: number; readonly size: number }>();
  size = 0;

  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  static async open(path: string): Promise<Spool> {
    return new Spool(path, await Deno.open(path, { read: true, write: true, createNew: true }));
  }

  async add(name: string, size: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#parts.set(name, { at: this.size, size });
    await this.file.seek(this.size, Deno.SeekMode.Start);
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) done += this.file.writeSync(chunk.subarray(done));
    }
    this.size += size;
  }

  read(name: string): { size: number; chunks: Iterable<Uint8Array> } {
    const { at, size } = this.#parts.get(name)!;
    return { size, chunks: this.#chunks(at, size) };
  }

  *#chunks(at: number, size: number): Generator<Uint8Array> {
    this.file.seekSync(at, Deno.SeekMode.Start);
    const buffer = new Uint8Array(Math.min(size, 1 << 20));
    for (let left = size; left > 0;) {
      const count = this.file.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
      if (count === null) throw new Error(`Cannot read "${this.path}" back: it ends early`);
      yield buffer.subarray(0, count);
      left -= count;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    await Deno.remove(this.path);
  }
}
