/** Which network a step gets that asks for none in particular. */
import type { Env } from "../../../lib/programs.ts";
import type { StepNetwork } from "../../../core/contract/plugin.ts";
import { messageOf } from "../../../core/contract/errors.ts";
import { whyNoPrivateNetwork } from "./user_network.ts";

/** Chooses between a private network, which is wanted, and this machine's, where there is no other. */
export class NetworkChoice {
  #private: Promise<string | undefined> | undefined;
  #likely: StepNetwork | undefined;
  #said = false;

  /** `connect` tries a private network; what it throws is why there is none. `note` tells the user. */
  constructor(
    readonly connect: () => Promise<void>,
    readonly env: Env,
    readonly note: (text: string) => void,
  ) {}

  /** What it will be, as far as that can be told without trying. */
  get likely(): StepNetwork {
    return this.#likely ??= whyNoPrivateNetwork(this.env) ? "host" : "private";
  }

  /** Says so when it is this machine's. `untried`: without a connection. */
  async make({ untried = false }: { readonly untried?: boolean } = {}): Promise<StepNetwork> {
    const why = whyNoPrivateNetwork(this.env)?.why ??
      (untried ? undefined : await (this.#private ??= this.#whyNot()));
    if (why === undefined) return "private";
    if (!this.#said) this.note(`Commands have this machine's network (as with --network host): ${why}`);
    this.#said = true;
    return "host";
  }

  async #whyNot(): Promise<string | undefined> {
    try {
      await this.connect();
      return undefined;
    } catch (error) {
      this.#likely = "host";
      return messageOf(error);
    }
  }
}
