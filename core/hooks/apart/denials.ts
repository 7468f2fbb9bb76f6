/**
 * Tells what Deno does not let this process do, also where code catches the error and goes on: an author would never
 * know which right is missing. Deno names each such error when it makes it; that is where this listens. Its audit of
 * permissions (2.9) does not tell what was denied from what was given, and leaves out programs.
 */
export function onDenied(tell: (what: string) => void): void {
  Object.defineProperty(Deno.errors.NotCapable.prototype, "name", {
    configurable: true,
    set(this: Error, name: unknown) {
      Object.defineProperty(this, "name", { value: name, configurable: true, writable: true });
      tell(deniedIn(this.message));
    },
  });
}

/** What an error of Deno says that it did not allow: `net access to "example.com:443"`. */
export function deniedIn(message: string): string {
  return /Requires (.*?),? (?:run again|specify)/.exec(message)?.[1] ?? message;
}
