/** What `dapp plugin new` writes: a kind of plugin as texts, in which `@NAME@` and `@VARIABLE@` stand for the name. */
export interface PluginKind {
  /** What its plugins are called: `tag-`. */
  readonly prefix: string;
  /** One line for people. */
  readonly what: string;
  /** Text of `mod.ts`. */
  readonly module: string;
  /** Text of `mod_test.ts`. */
  readonly test: string;
  /** How a dappfile names it. */
  readonly named: "plugin" | "policy";
  /** A command that uses it. */
  readonly command: string;
}
