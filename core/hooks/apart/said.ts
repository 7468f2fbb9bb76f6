/** What the process of a plugin says when it is asked, and how that is checked: it may be anything. */
import { hasMembers, isFlag, isListOf, isNumber, isOptional, isText } from "../../../lib/guard.ts";
import { isRights, type PluginRights } from "../../contract/rights.ts";

/** The plugin that a module exports. */
export interface Opened {
  readonly name: string;
  readonly api?: number;
  /** What it declares with its options. */
  readonly rights: PluginRights;
}

/** One member of what `setup` returned. */
export interface LoadedHook {
  readonly name: string;
  readonly isHandler: boolean;
  readonly order?: string;
}

/** What a hook is told of the run. */
export interface ContextFacts {
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** Whether a value says which plugin was opened. */
export const isOpened = hasMembers<Opened>({ name: isText, api: isOptional(isNumber), rights: isRights });

/** Whether a value says which hooks there are. */
export const isLoaded = isListOf(
  hasMembers<LoadedHook>({ name: isText, isHandler: isFlag, order: isOptional(isText) }),
);
