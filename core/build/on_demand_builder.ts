import { observed } from "../../lib/pool.ts";
import type { Builder } from "../contract/builder.ts";

/** The builder of a build: opened when something first needs it, and let go of once nothing will. */
export class OnDemandBuilder implements AsyncDisposable {
  #opened: Promise<Builder> | undefined;
  #warm: Promise<void> | undefined;
  #resting: Promise<void> | undefined;

  /** @param make opens one */
  constructor(readonly make: () => Promise<Builder>) {}

  /** @throws BUILDER_UNAVAILABLE */
  open(): Promise<Builder> {
    return this.#opened ??= this.make();
  }

  /** Whether somebody has asked for it. */
  get isAsked(): boolean {
    return this.#opened !== undefined;
  }

  /** The builder if somebody has asked for it, and there is one. */
  async ifAsked(): Promise<Builder | undefined> {
    return await this.#opened?.catch(() => undefined);
  }

  /** Whether commands run where layers need not be here. @throws BUILDER_UNAVAILABLE */
  async isElsewhere(): Promise<boolean> {
    return (await this.open()).elsewhere ?? false;
  }

  /** Whether it is elsewhere, and needed there anyway. */
  async runsElsewhere(): Promise<boolean> {
    return this.#warm !== undefined && await this.isElsewhere().catch(() => false);
  }

  /** Starts what command stages will need. */
  warmUp(): void {
    this.#warm ??= observed(this.open().then((builder) => builder.warmUp?.()));
  }

  /** Tells how many steps it can run at once, if it knows. */
  watchCapacity(changed: (steps: number) => void): void {
    observed(this.open().then((builder) => builder.watchCapacity?.(changed)));
  }

  /** Lets go of a builder of this machine, beside what is left to do: no step is to come. */
  rest(): void {
    const opened = this.#opened;
    if (!opened) return;
    this.#resting = observed(opened.then(async (builder) => {
      if (builder.elsewhere) return;
      this.#opened = this.#warm = undefined;
      await builder[Symbol.asyncDispose]();
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resting;
    const builder = await this.ifAsked();
    await builder?.[Symbol.asyncDispose]();
  }
}
