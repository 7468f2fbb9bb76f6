import { watching } from "../watch.ts";
import type { Challenge } from "./challenge.ts";

/** Remembers between runs; what it gives may be anything, or nothing. */
export interface ClientMemo {
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<void>;
}

/** What was found out about a host, none of it secret. */
export interface HostFacts {
  /** How this machine, or a host without verified TLS, answered. */
  readonly scheme?: "http:" | "https:";
  /** What the host asked for when it wanted a login. */
  readonly challenge?: Challenge;
  /** The address that asked. */
  readonly asked?: string;
  /** HEAD of a manifest says the same as GET. */
  readonly heads?: true;
  /** The last byte of a blob is not to be had by itself. */
  readonly ends?: false;
}

/** The facts of one host, read once and written when they change. A memo that fails is no failure. */
export class HostMemory {
  readonly #memo: ClientMemo | undefined;
  readonly #key: string;
  #reading: Promise<void> | undefined;
  #facts: HostFacts = {};
  #written: Promise<void> = Promise.resolve();

  constructor(memo: ClientMemo | undefined, key: string) {
    this.#memo = memo;
    this.#key = key;
  }

  async facts(): Promise<HostFacts> {
    await (this.#reading ??= this.#read());
    return this.#facts;
  }

  /** Adds to what is known; undefined forgets. */
  async note(change: { readonly [K in keyof HostFacts]: HostFacts[K] | undefined }): Promise<void> {
    await this.facts();
    // What others have noted meanwhile stays.
    const before = this.#facts;
    const after = JSON.parse(JSON.stringify({ ...before, ...change })) as HostFacts;
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    this.#facts = after;
    watching()?.host(this.#key, after);
    this.#written = this.#written.then(async () => {
      try {
        await this.#memo?.put(this.#key, after);
      } catch {
        // it is asked again next time
      }
    });
  }

  /** Resolves when all that was noted has been handed over. */
  async settled(): Promise<void> {
    await this.#written;
  }

  async #read(): Promise<void> {
    try {
      this.#facts = parseFacts(await this.#memo?.get(this.#key));
    } catch {
      // nothing is known
    }
    watching()?.host(this.#key, this.#facts);
  }
}

function parseFacts(value: unknown): HostFacts {
  if (typeof value !== "object" || value === null) return {};
  const { scheme, challenge, asked, heads, ends } = value as Record<string, unknown>;
  const known = parseChallenge(challenge);
  return {
    ...((scheme === "http:" || scheme === "https:") && { scheme }),
    ...(heads === true && { heads }),
    ...(ends === false && { ends }),
    ...(known && typeof asked === "string" && URL.canParse(asked) && { challenge: known, asked }),
  };
}

function parseChallenge(value: unknown): Challenge | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { scheme, params } = value as Record<string, unknown>;
  if (typeof scheme !== "string" || typeof params !== "object" || params === null) return undefined;
  const entries = Object.entries(params).filter((entry): entry is [string, string] =>
    typeof entry[1] === "string"
  );
  return { scheme, params: Object.fromEntries(entries) };
}
