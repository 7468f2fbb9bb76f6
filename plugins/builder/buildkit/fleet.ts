import { EngineError, type OciPlatform } from "../../../core/contract/plugin.ts";
import type { BuilderAddress, Environment } from "./address.ts";
import { Daemon, type TlsFiles } from "./daemon.ts";
import { Placement } from "./placement.ts";

/** Where the daemons are, and how they are spoken to. */
export interface BuildkitOptions {
  readonly addresses: readonly BuilderAddress[];
  readonly tls: TlsFiles;
  readonly env: Environment;
}

/** Who wants to use a daemon. */
export interface FleetUser {
  /** Steps of one key go to one daemon. */
  readonly key: string;
  readonly signal: AbortSignal;
  /** Told where it goes, when there are several places, and where it goes after that place was lost. */
  say(text: string): void;
}

/** The daemons of a run. Work that loses its daemon begins anew at another one. */
export class Fleet implements AsyncDisposable {
  readonly #daemons = new Map<string, Promise<Daemon>>();
  readonly #placement: Placement;
  /** Why daemons are not used any more. */
  readonly #failures = new Map<string, EngineError>();

  constructor(
    readonly options: BuildkitOptions,
    readonly platform: OciPlatform,
    readonly scratch: () => Promise<string>,
  ) {
    this.#placement = new Placement(options.addresses.map(({ text }) => text));
  }

  /** Connects to the daemon, if there is but one: of several it is not known which are needed. */
  warmUp(): void {
    const [only, another] = this.options.addresses;
    if (only && !another) this.#open(only).catch(() => {}); // the first step says what is wrong
  }

  /** Does work at a daemon. @throws BUILDER_UNAVAILABLE when there is none left that can do it */
  async use<T>({ key, signal, say }: FleetUser, work: (daemon: Daemon) => Promise<T>): Promise<T> {
    const several = this.options.addresses.length > 1;
    for (;;) {
      using taken = await this.#placement.take(key);
      if (!taken) throw this.#noneLeft();
      const address = this.options.addresses.find(({ text }) => text === taken.place)!;
      try {
        const daemon = await this.#open(address);
        signal.throwIfAborted();
        await daemon.ready(this.platform, signal);
        if (several) say(`(at ${address.text})`);
        return await work(daemon);
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== "BUILDER_UNAVAILABLE") throw error;
        this.#placement.lose(address.text);
        this.#failures.set(address.text, error);
        if (several) say(`(${address.text} cannot do it: ${error.message})`);
      }
    }
  }

  /** Lets go of the daemons, after a last word to each that is there. */
  async close(last: (daemon: Daemon) => Promise<void>): Promise<void> {
    await Promise.all(Array.from(this.#daemons, async ([text, opened]) => {
      const daemon = await opened.catch(() => undefined);
      if (!daemon) return;
      if (!this.#failures.has(text)) await last(daemon).catch(() => {});
      await daemon[Symbol.asyncDispose]();
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(() => Promise.resolve());
  }

  #noneLeft(): EngineError {
    const errors = [...this.#failures.values()];
    if (errors.length === 1) return errors[0]!;
    const why = errors.map(({ message }) => message).join("; ");
    return new EngineError(
      "BUILDER_UNAVAILABLE",
      `None of ${errors.length} BuildKit daemons can do it: ${why}`,
      {
        fix: errors[0]!.fix,
        cause: errors[0]!,
      },
    );
  }

  #open(address: BuilderAddress): Promise<Daemon> {
    let daemon = this.#daemons.get(address.text);
    if (!daemon) {
      const { tls, env } = this.options;
      daemon = this.scratch().then((directory) => Daemon.open(address, tls, env, directory));
      this.#daemons.set(address.text, daemon);
    }
    return daemon;
  }
}
