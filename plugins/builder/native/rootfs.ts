/** Mounts the file system of a step: the overlay, devices, /sys and what is bound in. */
import { whyFailed } from "../../../lib/file_failure.ts";
import { LayerError } from "../../../lib/layer/error.ts";
import type { DirMeta } from "./cache.ts";
import { ancestorsAndSelf, resolveInside } from "./inner_path.ts";
import { networkFiles } from "./network_files.ts";
import { lchown, lstatIfPresent, mount, MS, restrictMount, setMtime, unmount } from "./libc.ts";
import { mountLayers } from "./lower_view.ts";
import type { RootfsSpec } from "./protocol.ts";
import { mountDev, mountSys } from "./system_mounts.ts";

/** Something mounted over the image. */
export interface Bind {
  /** Absolute, inside. */
  readonly target: string;
  readonly kind: "dir" | "file";
  /** `full` is the place to mount on. */
  mount(full: string): void;
}

/** A step cannot be set up for a reason that lies in its configuration or image. The message is meant for people. */
export class RootfsError extends Error {
  override readonly name = "RootfsError";
}

/** Directories and files of one step below its `run` directory. */
export function stepPaths(run: string) {
  return {
    wrapper: `${run}/c`,
    upper: `${run}/c/d`,
    work: `${run}/w`,
    links: `${run}/k`,
    target: `${run}/m`,
    placeholders: `${run}/p`,
    view: `${run}/v`,
    secrets: `${run}/s`,
    report: `${run}/r`,
    tar: `${run}/t`,
  };
}

/** Makes the directories that {@linkcode mountRootfs} needs. */
export function prepareStep(spec: RootfsSpec): void {
  const paths = stepPaths(spec.run);
  for (const dir of [paths.wrapper, paths.work, paths.target, paths.placeholders]) {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  Deno.mkdirSync(`${paths.placeholders}/d`);
  Deno.mkdirSync(paths.upper);
  applyMeta(paths.upper, spec.root);
}

function applyMeta(path: string, meta: DirMeta): void {
  lchown(path, meta.uid, meta.gid);
  Deno.chmodSync(path, meta.mode);
  setMtime(path, meta.mtime);
}

/** The file system of a step, mounted. Paths are those outside. */
export interface MountedRootfs {
  /** Paths inside that exist for mounting only, without leading "/". */
  readonly placeholders: ReadonlySet<string>;
  /** Directory of the files that the helper shares with the step. */
  readonly control: string;
  /** Where /proc is to be mounted. */
  readonly proc: string;
  /** Its /dev/null. */
  readonly nothing: string;
}

/**
 * Mounts everything but /proc at `run`/m in the calling thread's mount namespace. `files` are seen in /dev/.dapp.
 *
 * @throws {RootfsError}
 */
export function mountRootfs(
  spec: RootfsSpec,
  files: Readonly<Record<string, string>> = {},
  extra: readonly Bind[] = [],
): MountedRootfs {
  const { target } = stepPaths(spec.run);
  const network = networkFiles(spec.network);
  const inside = (path: string) => `${target}/${resolveInside(target, path)}`;
  const system: Bind[] = [
    { target: "/dev", kind: "dir", mount: (full) => mountDev(full, { ...files, ...network }) },
    { target: "/proc", kind: "dir", mount() {} },
    { target: "/sys", kind: "dir", mount: mountSys },
  ];
  mountOverlay(spec, []);
  const names = Object.keys(network).filter((name) => takesFile(target, `/etc/${name}`)).map((
    name,
  ): Bind => ({
    target: `/etc/${name}`,
    kind: "file",
    mount: (full) => mount(inside(`/dev/.dapp/${name}`), full, "", MS.BIND),
  }));
  const binds = [...system, ...names, ...spec.mounts.map((m) => userBind(m)), ...extra];
  const missing = binds.filter(({ target: inner }) => !lstatIfPresent(inside(inner)));
  const placeholders = makePlaceholders(spec, missing);
  if (placeholders.size > 0) {
    unmount(target);
    mountOverlay(spec, [placeholderDir(spec)]);
  }
  for (const bind of binds) mountBind(target, bind);
  return { placeholders, control: inside("/dev/.dapp"), proc: inside("/proc"), nothing: inside("/dev/null") };
}

function fromNative(spec: RootfsSpec, path: string): string {
  return path.slice(spec.native.length + 1);
}

/**
 * Whether a file of ours may take the place of `path` in the image at `root`. Where that is a directory, or a link into
 * what is mounted (to /dev/null, say) or to nowhere, the image wants none.
 */
function takesFile(root: string, path: string): boolean {
  try {
    const inner = resolveInside(root, path);
    const mounted = ["/dev", "/proc", "/sys"].map((dir) => resolveInside(root, dir));
    // links of the image may make /etc one of them, and then the files lie beside the others
    const around = mounted.filter((dir) => dir !== resolveInside(root, "/etc"));
    if (around.some((dir) => inner === dir || inner.startsWith(`${dir}/`))) return false;
    return ["file", undefined].includes(lstatIfPresent(`${root}/${inner}`)?.type);
  } catch (error) {
    if (error instanceof LayerError) return false;
    throw error;
  }
}

function placeholderDir(spec: RootfsSpec): string {
  return `../${fromNative(spec, stepPaths(spec.run).placeholders)}/d`;
}

function mountOverlay(spec: RootfsSpec, above: readonly string[]): void {
  const { upper, work, target, links } = stepPaths(spec.run);
  const lower = [...spec.lower, ...above];
  if (lower.length === 0) lower.push(placeholderDir(spec));
  // what an earlier volatile mount of the same directory leaves behind
  const left = `${work}/work/incompat`;
  if (lstatIfPresent(left)) Deno.removeSync(left, { recursive: true });
  const plain = ["volatile", "index=off", "metacopy=off", spec.rootless ? "userxattr" : "redirect_dir=off"];
  const dirs = { upperdir: upper, workdir: work };
  mountLayers({ native: spec.native, lower, links, dirs, plain }, target, MS.NODEV);
}

/** Makes mount points that the image lacks, in a layer of their own that is never captured. */
function makePlaceholders(spec: RootfsSpec, missing: readonly Bind[]): Set<string> {
  const { target, placeholders } = stepPaths(spec.run);
  const root = `${placeholders}/d`;
  const made = new Set<string>();
  const copied: { path: string; meta: DirMeta }[] = [];
  for (const { target: inner, kind } of missing) {
    const path = resolveInside(target, inner);
    for (const part of ancestorsAndSelf(path)) {
      if (lstatIfPresent(`${root}/${part}`)) continue;
      const there = lstatIfPresent(`${target}/${part}`);
      if (there && there.type !== "dir") {
        throw new RootfsError(
          `cannot mount on "${inner}": "/${part}" in the image is a ${there.type}, wanted is a directory`,
        );
      }
      if (part === path && kind === "file") Deno.writeTextFileSync(`${root}/${part}`, "", { mode: 0o644 });
      else Deno.mkdirSync(`${root}/${part}`, { mode: 0o755 });
      if (there) copied.push({ path: part, meta: there });
      else made.add(part);
    }
  }
  for (const { path, meta } of copied.reverse()) applyMeta(`${root}/${path}`, meta);
  return made;
}

function mountBind(root: string, bind: Bind): void {
  const inner = resolveInside(root, bind.target);
  const full = `${root}/${inner}`;
  const there = lstatIfPresent(full);
  if (!there) makeMountPoint(full, bind); // inside of another mount
  else if ((there.type === "dir") !== (bind.kind === "dir")) {
    throw new RootfsError(
      `cannot mount on "${bind.target}": it is a ${there.type} in the image, wanted is a ${
        bind.kind === "dir" ? "directory" : "file"
      }`,
    );
  }
  bind.mount(full);
}

/** @throws {RootfsError} where the mount around it is read-only or holds something else */
function makeMountPoint(full: string, { target, kind }: Bind): void {
  try {
    if (kind === "dir") return Deno.mkdirSync(full, { recursive: true });
    Deno.mkdirSync(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(full, "", { mode: 0o644 });
  } catch (error) {
    const why = whyFailed(error);
    throw new RootfsError(
      `cannot mount on "${target}": its mount point cannot be made in the mount around it: ${why}`,
      { cause: error },
    );
  }
}

/** Binds a host directory or file, with the mounts below it. Devices in it cannot be opened. */
export function hostBind(source: string, target: string, kind: Bind["kind"], readOnly = false): Bind {
  return {
    target,
    kind,
    mount(full) {
      mount(source, full, "", MS.BIND | MS.REC);
      restrictMount(full, MS.NODEV | (readOnly ? MS.RDONLY : 0));
    },
  };
}

function userBind({ source, target, readOnly }: RootfsSpec["mounts"][number]): Bind {
  let kind: Bind["kind"];
  try {
    kind = Deno.statSync(source).isDirectory ? "dir" : "file";
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new RootfsError(`cannot mount "${source}" on "${target}": it does not exist`);
  }
  return hostBind(source, target, kind, readOnly);
}
