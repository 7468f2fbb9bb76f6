import { redactUrl, RegistryError } from "./errors.ts";
import type { HostMemory } from "./host_memory.ts";
import { isLoopback } from "./hosts.ts";
import { TLS_REFUSED } from "./network_error.ts";

type Scheme = "http:" | "https:";

/**
 * Finds the scheme of a host by the first real request: https always, but for hosts that may be asked by plain http,
 * where the likelier one goes first and the other when that does not answer: http for a port of this machine, where
 * nobody listens in and few have certificates, https for all else. What answered is remembered for later runs and goes
 * first there. While the first request finds out, others wait.
 */
export class Origin {
  readonly #host: string;
  readonly #plainAllowed: boolean;
  readonly #memory: HostMemory;
  #found: string | undefined;
  #finding: Promise<void> | undefined;

  constructor(
    host: string,
    options: { readonly plainAllowed: boolean; readonly memory: HostMemory },
  ) {
    this.#host = host;
    this.#plainAllowed = options.plainAllowed;
    this.#memory = options.memory;
  }

  /** What is asked; undefined while nobody knows its scheme. */
  get known(): string | undefined {
    return this.#plainAllowed ? this.#found : originOf("https:", this.#host);
  }

  /**
   * Sends by the scheme that answers.
   *
   * @param send calls `answered` when the host has answered; what fails later is not tried by another scheme
   * @throws {RegistryError} naming both schemes when neither answers; the one of https alone when TLS is spoken there,
   *   and plain http therefore is not
   */
  async use<T>(send: (origin: string, answered: () => void) => Promise<T>): Promise<T> {
    if (!this.#plainAllowed) return await send(originOf("https:", this.#host), () => {});
    while (this.#finding && !this.#found) await this.#finding;
    if (this.#found) return await send(this.#found, () => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#finding = promise;
    try {
      return await this.#find(send, resolve);
    } finally {
      this.#finding = undefined;
      resolve();
    }
  }

  async #find<T>(
    send: (origin: string, answered: () => void) => Promise<T>,
    done: () => void,
  ): Promise<T> {
    const first = (await this.#memory.facts()).scheme ?? (isLocalPort(this.#host) ? "http:" : "https:");
    const schemes: readonly Scheme[] = first === "http:" ? ["http:", "https:"] : ["https:", "http:"];
    const failures: RegistryError[] = [];
    for (const scheme of schemes) {
      const origin = originOf(scheme, this.#host);
      try {
        return await send(origin, () => {
          if (this.#found) return;
          this.#found = origin;
          void this.#memory.note({ scheme });
          done();
        });
      } catch (error) {
        if (this.#found || !isUnreached(error, origin) || error.details.code === TLS_REFUSED) throw error;
        failures.push(error);
      }
    }
    const messages = failures.map(({ message }) => message).join("; ");
    throw new RegistryError(messages, {
      kind: "failed",
      url: redactUrl(new URL(`https://${this.#host}`)),
      retryable: failures.some(({ details }) => details.retryable === true),
      cause: failures[0],
    });
  }
}

/** Without a port, TLS and plain http have one of their own each, and one may lead to the other. */
function isLocalPort(host: string): boolean {
  const { hostname, port } = new URL(`http://${host}`);
  return port !== "" && isLoopback(hostname);
}

/** As a URL has it: lower case, without the scheme's usual port. */
function originOf(scheme: Scheme, host: string): string {
  return new URL(`${scheme}//${host}`).origin;
}

/** Whether nothing came back from that address. */
function isUnreached(error: unknown, origin: string): error is RegistryError {
  return error instanceof RegistryError && error.kind === "failed" && error.details.status === undefined &&
    error.details.url?.startsWith(origin) === true;
}
