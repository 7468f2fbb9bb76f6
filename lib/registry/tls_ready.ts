let ready: Promise<unknown> | undefined;

/**
 * Resolves when TLS can be begun without holding this thread up; the first call has it made ready. Deno's TLS needs random
 * bytes, and the library that they come from gathers entropy before it gives its first ones in a process (AWS-LC, from the
 * jitter of the processor): 35 ms in which the thread that opens the first connection does nothing else. A key takes such
 * bytes as well, and Deno makes keys on another thread. Never fails.
 */
export function tlsReady(): Promise<unknown> {
  return ready ??= crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"])
    .catch(() => {}); // then the connection finds out
}
