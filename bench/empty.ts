/** Nothing: the floor under every command that runs on Deno. */
export {};
