import { registerHooks } from "node:module";

/** Lets packages of npm find dapp by its names: they look where they are installed, and it is not there. */
export function offerToPackages(names: Readonly<Record<string, string>>): void {
  registerHooks({
    resolve: (name, context, next) =>
      Object.hasOwn(names, name) ? { url: names[name]!, shortCircuit: true } : next(name, context),
  });
}
