/** What Deno was not allowed to do for dapp, for people. */
export interface MissingPermission {
  readonly message: string;
  readonly fix: string;
}

/** The permission that was missing, wherever that stands among the causes; undefined for other failures. */
export function missingPermission(thrown: unknown): MissingPermission | undefined {
  for (let at = thrown; at instanceof Error; at = at.cause) {
    const [, what = "this", flag] = /Requires (.*?),? (?:run|specify).*?(--allow-[a-z]+)/.exec(at.message) ??
      [];
    // Modules that may not be read come as a TypeError.
    if (!(at instanceof Deno.errors.NotCapable) && flag === undefined) continue;
    return {
      message: `Cannot go on: Deno does not give dapp ${what}`,
      fix: flag === undefined
        ? "Run Deno with -A"
        : `Run Deno with ${flag} as well, or with -A; docs/install.md says what dapp does with each permission`,
    };
  }
  return undefined;
}
