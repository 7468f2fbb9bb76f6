import { delay } from "@std/async/delay";
import { abortable } from "@std/async/abortable";
import { EngineError, type OciPlatform } from "../../../core/contract/plugin.ts";
import type { BuilderAddress, Environment } from "./address.ts";
import { Daemon, type TlsFiles } from "./daemon.ts";
import { unavailable } from "./failure.ts";
import { daemonsAt, type Resolve } from "./names.ts";
import { Placement } from "./placement.ts";

/** Where the daemons are, and how they are spoken to. */
export interface BuildkitOptions {
  readonly addresses: readonly BuilderAddress[];
  readonly tls: TlsFiles;
  readonly env: Environment;
  /** How names are looked up. @default as this machine does it */
  readonly resolve?: Resolve;
}

/** Who wants to use a daemon. */
export interface FleetUser {
  /** Steps of one key go to one daemon. */
  readonly key: string;
  readonly signal: AbortSignal;
  /** Told where it goes, and where it goes after that place was lost. */
  placed(daemon: Daemon): void;
  /** Told what was lost, when there are several places. */
  say(text: string): void;
}

/** How long the first step waits for daemons that do not answer, once it knows that there are several. */
const PATIENCE_MS = 1000;

/** The daemons of a run. Work that loses its daemon begins anew at another one. */
export class Fleet implements AsyncDisposable {
  readonly #addresses = new Map<string, BuilderAddress>();
  readonly #daemons = new Map<string, Promise<Daemon>>();
  readonly #known = new Map<string, Promise<Daemon>>();
  readonly #placement = new Placement();
  /** Why daemons are not used any more. */
  readonly #failures = new Map<string, EngineError>();
  /** Addresses whose names were found once, and whether they stood for several daemons. */
  readonly #resolved = new Map<string, boolean>();
  readonly #told = new Set<string>();
  readonly #closed = new AbortController();
  #acquainted: Promise<void> | undefined;
  #watch: ((steps: number) => void) | undefined;

  constructor(
    readonly options: BuildkitOptions,
    readonly platform: OciPlatform,
    readonly scratch: () => Promise<string>,
  ) {}

  /** Asks all daemons what they are. */
  warmUp(): void {
    this.#acquaint().catch(() => {}); // the first step says what is wrong
  }

  /** Tells how many steps all daemons take at once, whenever more is known of them. */
  watchCapacity(changed: (steps: number) => void): void {
    this.#watch = changed;
    this.#tellCapacity();
    this.warmUp();
  }

  /** Where work of a key goes if nothing is lost or busy. */
  async home(key: string): Promise<string | undefined> {
    await this.#find();
    return (await this.#placement.order(key))[0];
  }

  /**
   * Does work at a daemon; `leave` tells that what is left of it takes none of the room that steps have there.
   *
   * @throws BUILDER_UNAVAILABLE when there is none left that can do it
   */
  async use<T>(
    { key, signal, placed, say }: FleetUser,
    work: (daemon: Daemon, leave: () => void) => Promise<T>,
  ): Promise<T> {
    await abortable(this.#acquaint(), signal);
    for (;;) {
      if (this.#addresses.size > 1) this.#tellLosses(say);
      using taken = await this.#placement.take(key);
      if (!taken) throw this.#noneLeft();
      const { place } = taken;
      try {
        const daemon = await abortable(this.#know(place), signal);
        placed(daemon);
        return await work(daemon, () => taken[Symbol.dispose]());
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== "BUILDER_UNAVAILABLE") throw error;
        this.#lose(place, error);
        await this.#find(); // what came in its place
      }
    }
  }

  /** Lets go of the daemons, after a last word to each that is there. */
  async close(last: (daemon: Daemon) => Promise<void>): Promise<void> {
    this.#closed.abort();
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

  /** Looks names up, now. */
  async #find(): Promise<void> {
    await Promise.all(this.options.addresses.map(async (address) => {
      try {
        const { text } = address;
        const found = await daemonsAt(address, this.options.resolve, this.#resolved.get(text));
        this.#resolved.set(text, this.#resolved.get(text) || found.length > 1);
        found.forEach((each) => this.#add(each));
      } catch (error) {
        if (this.#resolved.has(address.text)) return; // those that are known may be there
        this.#add(address);
        const { host, text } = address.kind === "tcp" ? address : { host: "", text: address.text };
        const why = `its name does not resolve (${host.replace(/:\d+$/, "")})`;
        this.#lose(address.text, unavailable([text], new Error(why, { cause: error })));
      }
    }));
  }

  #add(address: BuilderAddress): void {
    if (this.#addresses.has(address.text)) return;
    this.#addresses.set(address.text, address);
    this.#placement.add(address.text);
  }

  /**
   * Knows what the daemons are before the first step is placed: of several, some may be of another platform or gone. One
   * that does not answer for long is asked again when its turn comes.
   */
  #acquaint(): Promise<void> {
    return this.#acquainted ??= (async () => {
      await this.#find();
      const places = [...this.#addresses.keys()];
      const looks = places.map(async (place) => {
        try {
          if (!this.#failures.has(place)) await this.#know(place);
        } catch (error) {
          // Alone, its failure is for the step to tell; other mistakes are met again when its turn comes.
          if (places.length > 1 && error instanceof EngineError && error.code === "BUILDER_UNAVAILABLE") {
            this.#lose(place, error);
          }
        }
      });
      if (places.length < 2) return;
      const all = Promise.allSettled(looks);
      const one = Promise.race(looks);
      const over = new AbortController();
      await Promise.race([all, one.then(() => delay(PATIENCE_MS, { signal: over.signal })).catch(() => {})]);
      over.abort();
    })();
  }

  /** A daemon that was asked what it is. @throws BUILDER_UNAVAILABLE */
  #know(place: string): Promise<Daemon> {
    let known = this.#known.get(place);
    if (!known) {
      known = this.#open(this.#addresses.get(place)!).then(async (daemon) => {
        await daemon.ready(this.platform, this.#closed.signal);
        this.#placement.describe(place, { room: daemon.steps, spare: daemon.emulates });
        this.#tellCapacity();
        return daemon;
      });
      this.#known.set(place, known);
    }
    return known;
  }

  #lose(place: string, error: EngineError): void {
    if (this.#failures.has(place)) return;
    this.#placement.lose(place);
    this.#failures.set(place, error);
    this.#tellCapacity();
  }

  #tellCapacity(): void {
    const { room } = this.#placement;
    if (room > 0) this.#watch?.(room);
  }

  #tellLosses(say: (text: string) => void): void {
    for (const [place, { message }] of this.#failures) {
      if (this.#told.has(place)) continue;
      this.#told.add(place);
      say(`(${place} cannot do it: ${message})`);
    }
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
