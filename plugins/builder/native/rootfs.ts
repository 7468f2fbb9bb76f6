/** Mounts the file system of a step: the overlay, devices, /proc, /sys and what is bound in. */
import type { DirMeta } from "./cache.ts";
import { ancestorsAndSelf, resolveInside } from "./inner_path.ts";
import { chdir, lchown, lstatIfPresent, mount, MS, setMtime, setReadOnly, unmount } from "./libc.ts";
import { overlayOptions } from "./lower_view.ts";
import type { RootfsSpec } from "./protocol.ts";

/** Something mounted over the image. */
interface Bind {
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
    target: `${run}/m`,
    placeholders: `${run}/p`,
    view: `${run}/v`,
    control: `${run}/k`,
    tar: `${run}/t`,
  };
}

/** Host name of every step, so that none gets into a layer. */
export const HOSTNAME = "dapp";

/** Makes the directories that {@linkcode mountRootfs} needs; `control` gets `files`. */
export function prepareStep(spec: RootfsSpec, files: Readonly<Record<string, string>>): void {
  const paths = stepPaths(spec.run);
  for (const dir of [paths.wrapper, paths.work, paths.target, paths.control, paths.placeholders]) {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  Deno.mkdirSync(`${paths.placeholders}/d`);
  Deno.mkdirSync(paths.upper);
  applyMeta(paths.upper, spec.root);
  const hosts = `127.0.0.1\tlocalhost ${HOSTNAME}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
  const all: Record<string, string> = { ...files, hosts };
  if (spec.network === "host") {
    all["hosts"] = readHost("/etc/hosts") + `127.0.0.1\t${HOSTNAME}\n`;
    all["resolv.conf"] = readHost("/etc/resolv.conf");
  }
  for (const [name, text] of Object.entries(all)) {
    Deno.writeTextFileSync(`${paths.control}/${name}`, text, { mode: 0o644 });
  }
}

function readHost(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function applyMeta(path: string, meta: DirMeta): void {
  lchown(path, meta.uid, meta.gid);
  Deno.chmodSync(path, meta.mode);
  setMtime(path, meta.mtime);
}

/**
 * Mounts everything at `run`/m in the calling thread's mount namespace. Returns the paths that exist for mounting
 * only, without leading "/".
 *
 * @throws {RootfsError}
 */
export function mountRootfs(spec: RootfsSpec, extra: readonly Bind[] = []): Set<string> {
  const { target } = stepPaths(spec.run);
  const binds = [...systemBinds(spec), ...spec.mounts.map((m) => userBind(m)), ...extra];
  mountOverlay(spec, []);
  const missing = binds.filter(({ target: inner }) =>
    !lstatIfPresent(`${target}/${resolveInside(target, inner)}`)
  );
  const placeholders = makePlaceholders(spec, missing);
  if (placeholders.size > 0) {
    unmount(target);
    mountOverlay(spec, [`../${relative(spec, stepPaths(spec.run).placeholders)}`]);
  }
  for (const bind of binds) mountBind(target, bind);
  return placeholders;
}

function relative(spec: RootfsSpec, path: string): string {
  return path.slice(spec.native.length + 1);
}

/** Options are relative to `l/`, so that many layers fit. */
function mountOverlay(spec: RootfsSpec, above: readonly string[]): void {
  const { upper, work, target, placeholders } = stepPaths(spec.run);
  const lower = [...spec.lower, ...above];
  if (lower.length === 0) lower.push(`../${relative(spec, placeholders)}`);
  const dirs = [`upperdir=../${relative(spec, upper)}`, `workdir=../${relative(spec, work)}`, "volatile"];
  const plain = ["index=off", "metacopy=off"];
  const options = overlayOptions(lower, [
    ...dirs,
    ...plain,
    ...(spec.rootless ? ["userxattr"] : ["redirect_dir=off"]),
  ]);
  // what an earlier volatile mount of the same directory leaves behind
  try {
    Deno.removeSync(`${work}/work/incompat`, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  chdir(`${spec.native}/l`);
  mount("overlay", target, "overlay", MS.NODEV, options);
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
  if (!there) { // inside of another mount
    if (bind.kind === "dir") Deno.mkdirSync(full, { recursive: true });
    else {
      Deno.mkdirSync(full.slice(0, full.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(full, "", { mode: 0o644 });
    }
  } else if ((there.type === "dir") !== (bind.kind === "dir")) {
    throw new RootfsError(
      `cannot mount on "${bind.target}": it is a ${there.type} in the image, wanted is a ${
        bind.kind === "dir" ? "directory" : "file"
      }`,
    );
  }
  bind.mount(full);
}

/** Binds a host directory or file, with the mounts below it. */
export function hostBind(source: string, target: string, kind: Bind["kind"], readOnly = false): Bind {
  return {
    target,
    kind,
    mount(full) {
      mount(source, full, "", MS.BIND | MS.REC);
      if (readOnly) setReadOnly(full);
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

function systemBinds(spec: RootfsSpec): Bind[] {
  const { control } = stepPaths(spec.run);
  const binds: Bind[] = [
    { target: "/dev", kind: "dir", mount: (full) => mountDev(full, control) },
    { target: "/proc", kind: "dir", mount: (full) => mountProc(full, spec.rootless) },
    hostBind("/sys", "/sys", "dir", true),
    hostBind(`${control}/hosts`, "/etc/hosts", "file"),
  ];
  if (spec.network === "host") binds.push(hostBind(`${control}/resolv.conf`, "/etc/resolv.conf", "file"));
  return binds;
}

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC;

function mountProc(full: string, rootless: boolean): void {
  try {
    mount("proc", full, "proc", SAFE);
  } catch {
    // A container around us that hides parts of /proc does not let us have an own one.
    mount("/proc", full, "", MS.BIND | MS.REC);
  }
  if (rootless) return; // the kernel's settings are out of reach anyway
  for (const name of ["sys", "sysrq-trigger", "irq", "bus"]) {
    const path = `${full}/${name}`;
    if (!lstatIfPresent(path)) continue;
    mount(path, path, "", MS.BIND);
    setReadOnly(path);
  }
}

const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS = {
  fd: "/proc/self/fd",
  stdin: "/proc/self/fd/0",
  stdout: "/proc/self/fd/1",
  stderr: "/proc/self/fd/2",
  ptmx: "pts/ptmx",
} as const;

function mountDev(full: string, control: string): void {
  mount("tmpfs", full, "tmpfs", MS.NOSUID, "mode=755,size=65536k");
  for (const name of DEVICES) {
    Deno.writeTextFileSync(`${full}/${name}`, "", { mode: 0o666 });
    mount(`/dev/${name}`, `${full}/${name}`, "", MS.BIND);
  }
  for (const [name, target] of Object.entries(LINKS)) Deno.symlinkSync(target, `${full}/${name}`);
  Deno.mkdirSync(`${full}/pts`);
  mount("devpts", `${full}/pts`, "devpts", MS.NOSUID | MS.NOEXEC, "newinstance,ptmxmode=0666,mode=620");
  Deno.mkdirSync(`${full}/shm`);
  mount("tmpfs", `${full}/shm`, "tmpfs", MS.NOSUID | MS.NODEV, "mode=1777");
  Deno.mkdirSync(`${full}/.dapp`);
  mount(control, `${full}/.dapp`, "", MS.BIND);
}
