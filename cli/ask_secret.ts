import type { SecretQuestion } from "./ask_secret_worker.ts";

/**
 * Asks for a secret at the terminal, which shows nothing of it; undefined without terminal. In a thread of its own, since
 * `promptSecret` holds up the one it is called on: there Ctrl-C would count only after the next line.
 *
 * @throws the signal's reason, when that comes first
 */
export async function askSecret(question: string, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  if (!Deno.stdin.isTerminal()) return undefined;
  const worker = new Worker(new URL("./ask_secret_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const stop = () => reject(signal.reason);
  Deno.stdin.setRaw(true, { cbreak: true }); // shows nothing from now on, also not what is typed ahead
  signal.addEventListener("abort", stop, { once: true });
  worker.onmessage = ({ data }: MessageEvent<string | null>) => resolve(data ?? undefined);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`Cannot read from the terminal: ${event.message}`));
  };
  worker.postMessage({ question } satisfies SecretQuestion);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    worker.terminate();
    Deno.stdin.setRaw(false);
  }
}
