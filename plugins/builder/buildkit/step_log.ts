import type { StepIo } from "../../../core/contract/plugin.ts";
import type { SolveEvents } from "../../../lib/buildkit/client.ts";

/** Prints the steps of a Dockerfile as they run, each under its name. */
export class StepLog implements SolveEvents {
  readonly #names = new Map<string, string>();
  readonly #told = new Set<string>();
  readonly #decoders = new Map<string, TextDecoder>();
  /** The step whose output was printed last. */
  #current = "";
  /** The output ends within a line. */
  #open = false;
  /** When the first step began, seconds since 1970 by the daemon's clock. */
  started = Infinity;
  /** The step that failed first. */
  failed: { readonly name: string; readonly error: string } | undefined;

  constructor(readonly output: StepIo["output"]) {}

  vertex({ digest, name, cached, started, error }: Parameters<NonNullable<SolveEvents["vertex"]>>[0]): void {
    this.#names.set(digest, name);
    if (started !== undefined) this.started = Math.min(this.started, started);
    if (error !== undefined && !/context canceled/.test(error)) this.failed ??= { name, error };
    if (this.#told.has(digest) || isInternal(name) || (started === undefined && !cached)) return;
    this.#told.add(digest);
    this.#title(digest, cached ? `${name} (in the daemon's cache)` : name);
  }

  log({ vertex, stream, bytes }: Parameters<NonNullable<SolveEvents["log"]>>[0]): void {
    const key = `${vertex} ${stream}`;
    let decoder = this.#decoders.get(key);
    if (!decoder) this.#decoders.set(key, decoder = new TextDecoder());
    const text = decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (vertex !== this.#current) this.#title(vertex, this.#names.get(vertex) ?? "");
    this.output(stream === 2 ? "stderr" : "stdout", text);
    this.#open = !text.endsWith("\n");
  }

  #title(vertex: string, text: string): void {
    this.#current = vertex;
    this.output("stderr", `${this.#open ? "\n" : ""}${text}\n`);
    this.#open = false;
  }
}

/** Whether a step is the front end's own business. */
function isInternal(name: string): boolean {
  return /^\[(?:internal|context )/.test(name) || /^(?:exporting|sending|copy \/context)/.test(name);
}
