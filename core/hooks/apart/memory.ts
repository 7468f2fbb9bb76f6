/**
 * What is remembered of plugins that are files, by all that they are made of: what they load, and what they declare. Both
 * follow from the texts and the options alone, and asking for them takes longer than a run without changes.
 */
import { hasMembers, isFlag, isListOf, isOptional, isRecordOf, isText } from "../../../lib/guard.ts";
import { sha256Hex } from "../../../lib/oci/digest.ts";
import { readSealed, writeSealed } from "../../../lib/sealed.ts";
import { isRights, type PluginRights } from "../../contract/rights.ts";
import { lookAt, type PluginModules, type WantedPlugin } from "./modules.ts";
import { ownModules } from "./own_modules.ts";
import { realPath } from "./permissions.ts";
import { sameRights } from "./pins.ts";

/** Raise it when something else is remembered, or found out otherwise. */
const FORMAT = 1;

/** What is known of a plugin. */
interface Known {
  readonly modules: PluginModules;
  /** What it declares with its options. Absent: it was not asked. */
  readonly rights?: PluginRights;
}

interface Row {
  readonly path: string;
  /** Where it really is, and the sha256 of what is there. */
  readonly real: string;
  readonly hash: string;
}

const isKnown = hasMembers<Known & { readonly rows: readonly Row[] }>({
  modules: hasMembers<PluginModules>({
    files: isListOf(isText),
    foreign: isRecordOf(isText),
    isRemote: isFlag,
  }),
  rights: isOptional(isRights),
  rows: isListOf(hasMembers<Row>({ path: isText, real: isText, hash: isText })),
});

/** What decides, beside the plugin. */
export interface MemoryNeeds {
  /** Its options. */
  readonly options: unknown;
  /** dapp's directory, which has what can be found out again. Without it nothing is remembered. */
  readonly home?: string | undefined;
}

/** What a plugin loads, and what it declared when it was the same. */
export interface Seen extends Known {
  /** Remembers it with what it declares, where that is news. */
  remember(rights?: PluginRights): Promise<void>;
}

/** Looks at what a plugin loads, once for all that it is made of. @throws PLUGIN_NOT_FOUND for what no plugin may load */
export async function lookOnce(wanted: WantedPlugin, needs: MemoryNeeds): Promise<Seen> {
  // What is written at about this time may be another text than the one that is looked at.
  const since = Date.now() - 50;
  const file = wanted.url.startsWith("file:") ? await fileOf(wanted, needs) : undefined;
  const known = file === undefined ? undefined : await recall(file);
  const modules = known?.modules ?? await lookAt(wanted);
  return {
    modules,
    ...(known?.rights && { rights: known.rights }),
    async remember(rights = known?.rights) {
      if (file === undefined || known && (!rights || known.rights && sameRights(rights, known.rights))) {
        return;
      }
      const rows = await Promise.all(modules.files.map((path) => rowOf(path, since)));
      if (!rows.every((row) => row !== undefined)) return;
      await writeSealed(file, JSON.stringify({ modules, ...(rights && { rights }), rows }));
    },
  };
}

/** What is known, if everything is what it was. */
async function recall(file: string): Promise<Known | undefined> {
  const text = await readSealed(file);
  const known: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!isKnown(known)) return undefined;
  const rows = await Promise.all(known.rows.map(({ path }) => rowOf(path)));
  return rows.every((row, i) => row && isSame(row, known.rows[i]!)) ? known : undefined;
}

async function fileOf(
  { url, projectDir }: WantedPlugin,
  { options, home }: MemoryNeeds,
): Promise<string | undefined> {
  if (home === undefined) return undefined;
  const place = [FORMAT, Deno.version.deno, ownModules(), url, await realPath(projectDir), options];
  return `${home}/memo/plugins/${await sha256Hex(JSON.stringify(place))}`;
}

/** A file as it is; undefined for one that is not there, or was changed at that time or later. */
async function rowOf(path: string, since = Infinity): Promise<Row | undefined> {
  try {
    const real = await Deno.realPath(path);
    const { mtime } = await Deno.stat(real);
    if ((mtime?.getTime() ?? since) >= since) return undefined;
    return { path, real, hash: await sha256Hex(await Deno.readFile(real)) };
  } catch {
    return undefined;
  }
}

function isSame(a: Row, b: Row): boolean {
  return a.real === b.real && a.hash === b.hash;
}
