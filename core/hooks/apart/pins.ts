/** What dappfile.lock knows of plugins that are not of the repository, or that ask for rights. */
import { hasMembers, isObject, isOptional, isRecordOf, isText } from "../../../lib/guard.ts";
import { EngineError } from "../../contract/errors.ts";
import { isRights, type PluginRights, rightKinds } from "../../contract/rights.ts";

/** A plugin as it was accepted. */
export interface PluginPin {
  /** What it may do. */
  readonly rights: PluginRights;
  /** Files that are not of the repository: path -> sha256. */
  readonly files?: Readonly<Record<string, string>>;
  /** Modules and packages from elsewhere with the integrity of each, as Deno's own lock file says them. */
  readonly modules?: Readonly<Record<string, unknown>>;
}

/** Pins by what stands after `use:`, as the lock file has them. */
export type PluginPins = Readonly<Record<string, unknown>>;

/** The pin of a plugin. @throws CONFIG_LOCK_INVALID */
export function pinOf(pins: PluginPins, use: string): PluginPin | undefined {
  const pin = Object.hasOwn(pins, use) ? pins[use] : undefined;
  if (pin === undefined || isPin(pin)) return pin;
  throw new EngineError(
    "CONFIG_LOCK_INVALID",
    `Cannot use "dappfile.lock": what it says of plugin "${use}" cannot be read`,
    { fix: "Run: dapp plugin lock --update", plugin: use },
  );
}

/** Whether a value is a pin. */
export const isPin = hasMembers<PluginPin>({
  rights: isRights,
  files: isOptional(isRecordOf(isText)),
  modules: isOptional(isObject),
});

/** Whether packages of npm are among what a plugin is made of. */
export function hasPackages({ modules }: PluginPin): boolean {
  return modules !== undefined && Object.hasOwn(modules, "npm");
}

/** Rights that are asked for and were not given, one text for each: `hosts example.com`. */
export function missingRights(wanted: PluginRights, given: PluginRights): readonly string[] {
  return rightTexts(wanted).filter((text) => !rightTexts(given).includes(text));
}

/** Whether two plugins may do the same. */
export function sameRights(a: PluginRights, b: PluginRights): boolean {
  return missingRights(a, b).length === 0 && missingRights(b, a).length === 0;
}

/** Rights as people read them: `hosts example.com`. */
function rightTexts(rights: PluginRights): readonly string[] {
  return rightKinds.flatMap((kind) => (rights[kind] ?? []).map((text) => `${kind} ${text}`));
}
