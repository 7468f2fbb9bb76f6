/**
 * A builder without processes: commands are `write PATH TEXT`, `link PATH TARGET`, `say TEXT`, `fail TEXT`, `reveal ID`
 * (prints a secret, in two pieces), `betray ID` (fails with it), `meet NAME`, `ran` (what
 * follows is the builder's own work) and `nothing`.
 */
import { indexEntries } from "../../lib/layer/index.ts";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import {
  type Builder,
  type BuildStep,
  definePlugin,
  EngineError,
  type Layer,
  type LayerFile,
  type LayerRef,
  type MountKind,
  type ShellStep,
  type StepIo,
  type Store,
} from "../../mod.ts";

/** What happened, and gates that `meet NAME` waits at. */
export class FakeBuilderLog {
  readonly ran: string[] = [];
  readonly shells: ShellStep[] = [];
  readonly steps: BuildStep[] = [];
  /** Told that layers may have to be unpacked. */
  onExpected?: () => void;
  /** What unpacking layers ahead does. */
  onPrefetch?: (layers: readonly LayerRef[]) => Promise<void>;
  /** What layers wait for until they are stored; those of a builder that is let go of before are lost. */
  storing?: Promise<void>;
  /** Compresses small tars beside commands; undefined: it does not. */
  onCompress?: (tar: string) => Promise<Layer & LayerFile>;
  disposed = 0;
  running = 0;
  mostRunning = 0;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #arrived = new Map<string, PromiseWithResolvers<void>>();

  /** Settles when a command waits at the gate. */
  arrived(name: string): Promise<void> {
    return this.#at(this.#arrived, name).promise;
  }
  /** Lets the command at the gate go on, now or when it comes. */
  open(name: string): void {
    this.#at(this.#gates, name).resolve();
  }
  async wait(name: string, signal: AbortSignal): Promise<void> {
    this.#at(this.#arrived, name).resolve();
    const stopped = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => stopped.reject(signal.reason), { once: true });
    await Promise.race([this.#at(this.#gates, name).promise, stopped.promise]);
  }
  #at(map: Map<string, PromiseWithResolvers<void>>, name: string): PromiseWithResolvers<void> {
    let gate = map.get(name);
    if (!gate) map.set(name, gate = Promise.withResolvers());
    return gate;
  }
}

/** The plugin; it claims every stage. */
export function fakeBuilder(log: FakeBuilderLog, mounts?: readonly MountKind[]) {
  return definePlugin({
    name: "builder-fake",
    api: 1,
    setup: () => ({ openBuilder: ({ store }) => new FakeBuilder(log, store, mounts) }),
  });
}

/** The same, as if its steps ran elsewhere: `capacity` at once, each at the first address and then, lost there, at the next. */
export function fakeFleet(log: FakeBuilderLog, addresses: readonly [string, ...string[]], capacity: number) {
  return definePlugin({
    name: "builder-fake",
    api: 1,
    setup: () => ({ openBuilder: ({ store }) => new FakeFleet(log, store, addresses, capacity) }),
  });
}

class FakeBuilder implements Builder {
  readonly name = "fake";
  readonly mounts: readonly MountKind[];
  readonly compress?: NonNullable<Builder["compress"]>;
  #closed = false;
  constructor(readonly log: FakeBuilderLog, readonly store: Store, mounts?: readonly MountKind[]) {
    this.mounts = mounts ?? ["host", "cache", "tmp"];
    if (log.onCompress) this.compress = log.onCompress;
  }

  async run(step: BuildStep, io: StepIo) {
    const { log } = this;
    log.ran.push(step.label);
    log.steps.push(step);
    log.mostRunning = Math.max(log.mostRunning, ++log.running);
    try {
      const files = new Map<string, string>();
      for (const command of step.commands) await this.#command(command, files, step, io);
      if (files.size === 0) return {};
      return { layer: await this.#layer(files, step.epoch) };
    } finally {
      log.running--;
    }
  }

  async #command(command: string, files: Map<string, string>, step: BuildStep, io: StepIo): Promise<void> {
    const [verb, first = "", ...rest] = command.split(" ");
    if (verb === "write") files.set(first, rest.join(" "));
    else if (verb === "link") files.set(first, `-> ${rest.join(" ")}`);
    else if (verb === "say") io.output("stdout", [first, ...rest].join(" ") + "\n");
    else if (verb === "reveal") {
      const value = new TextDecoder().decode(io.secret!(first));
      io.output("stdout", `it is ${value.slice(0, 3)}`);
      io.output("stdout", `${value.slice(3)}, or ${btoa(value)}\n`);
    } else if (verb === "betray") {
      const value = new TextDecoder().decode(io.secret!(first));
      throw new EngineError("STAGE_FAILED", `Cannot build ${step.label}: it knows ${value}`, { fix: value });
    } else if (verb === "meet") await this.log.wait(first, io.signal);
    else if (verb === "ran") io.ran?.();
    else if (verb === "fail") {
      io.output("stderr", [first, ...rest].join(" ") + "\n");
      await io.onFailure?.(() => {
        this.log.ran.push(`${step.label} failure shell`);
        return Promise.resolve(0);
      });
      throw new EngineError(
        "STAGE_FAILED",
        `Cannot build ${step.label}: command "${command}" ended with exit code 1`,
      );
    }
  }

  async #layer(files: ReadonlyMap<string, string>, mtime: number) {
    const file = `${await this.store.blobs.scratch()}/fake${crypto.randomUUID()}`;
    const writer = await createLayerWriter({ file, compression: { kind: "gzip", level: 4 }, threads: 0 });
    const entries: TarEntry[] = [];
    for (const [path, text] of [...files].sort()) {
      const link = text.startsWith("-> ") ? text.slice(3) : undefined;
      const bytes = new TextEncoder().encode(link === undefined ? text : "");
      const type = link === undefined ? "file" : "symlink";
      const owner = { uid: 0, gid: 0 };
      const size = bytes.length;
      const entry: TarEntry = {
        path,
        type,
        mode: 0o644,
        ...owner,
        size,
        mtime,
        ...(link !== undefined && { link }),
      };
      entries.push(entry);
      await writer.write(encodeTarHeader(entry));
      await writer.write(bytes);
      await writer.write(tarPadding(bytes.length));
    }
    await writer.write(TAR_TRAILER);
    const { digest, diffId, ...rest } = await writer.close();
    const layer = { ...rest, file, digest: digest, diffId: diffId };
    const blob = Promise.resolve(this.log.storing).then(() => {
      if (this.#closed) throw new Error("The builder is closed");
      return layer;
    });
    return { diffId: layer.diffId, index: indexEntries(entries), blob };
  }

  expectLayers(): Promise<void> {
    this.log.onExpected?.();
    return Promise.resolve();
  }

  async prefetch(layers: readonly LayerRef[]): Promise<void> {
    await this.log.onPrefetch?.(layers);
  }

  shell(step: ShellStep): Promise<number> {
    this.log.shells.push(step);
    return Promise.resolve(7);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.log.disposed++;
    return Promise.resolve();
  }
}

class FakeFleet extends FakeBuilder {
  constructor(
    log: FakeBuilderLog,
    store: Store,
    readonly addresses: readonly [string, ...string[]],
    readonly capacity: number,
  ) {
    super(log, store);
  }

  watchCapacity(changed: (steps: number) => void): void {
    changed(this.capacity);
  }

  place() {
    return Promise.resolve({ builder: this.name, address: this.addresses[0] });
  }

  override run(step: BuildStep, io: StepIo) {
    for (const address of this.addresses) {
      io.placed?.({ builder: this.name, address, platform: "linux/arm64" });
    }
    return super.run(step, io);
  }
}
