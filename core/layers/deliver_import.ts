import { join } from "@std/path/posix/join";
import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { compileGlob } from "../../lib/glob.ts";
import { type FileItem, indexOfPlan, planFileLayer, writeFileLayer } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { TarWriter } from "../../lib/layer/tar_writer.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import type { ImportRule } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import { imageKey } from "../sign/graph.ts";
import { Owners } from "./layer_reader.ts";
import { takeLayer } from "./new_layer.ts";
import { below, layerPath } from "../../lib/layer/paths.ts";
import {
  type GrownLayer,
  type LayerWorker,
  settlingLayer,
  type StageOutput,
  type StageTask,
} from "./stage_output.ts";
import { setAside, Spool } from "./spool.ts";

/** Copies the chosen files of artifacts into one layer. @throws IMPORT_FAILED, OWNER_UNKNOWN */
export async function deliverImports(
  worker: LayerWorker,
  task: StageTask,
  rules: readonly ImportRule[],
): Promise<readonly GrownLayer[]> {
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
    for (const item of await importItems(worker, rule, artifact, fs, spool)) {
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
  const writer = new TarWriter({
    file,
    compression: session.options.compression,
    threads: navigator.hardwareConcurrency,
    expectedSize: spool.size,
  });
  try {
    await writeFileLayer(writer, plan, (item) => spool.read(item.path));
    const ref = await takeLayer(worker, { ...await writer.close(), file }, { late: task.followed });
    await reader.remember(ref.diffId, indexOfPlan(plan));
    return [settlingLayer(ref, async ({ digest }) => await store.blobs.settle?.(digest))];
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
): Promise<FileItem[]> {
  const fs = await worker.reader.fs(artifact.layers);
  const { targets, dirs } = chooseEntries(rule, fs, parent, worker.session.options);
  return [...dirs, ...await setAside({ worker, layers: artifact.layers, fs, targets, spool })];
}

/** Paths of the artifact's files with where they go, and the directories to make. */
function chooseEntries(
  rule: ImportRule,
  fs: ImageFs,
  parent: ImageFs,
  { epoch, emit }: LayerWorker["session"]["options"],
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
    else {
      const text = `Import of ${title}: "/${path}" is left out, it is a ${type}`;
      emit({ type: "note", level: "warn", text });
    }
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
