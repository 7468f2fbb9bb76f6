/** What plugins of a project add to `--help` of the commands that publish. */
import type { CommandTable, HelpWanted } from "./command.ts";
import { findCommand, takesTags } from "./command.ts";
import { printable } from "./format.ts";
import { helpRow } from "./help.ts";
import type { Io } from "./io.ts";

/** How long somebody who asks for help, or completes a word, waits for plugins. */
const PATIENCE_MS = 5_000;

/** Lines with the flags of plugins; none where the dappfile names no plugins, which is all that is read then. */
export async function pluginHelp(
  { helpFor, options }: HelpWanted,
  io: Io,
  table: CommandTable,
): Promise<string> {
  const command = findCommand(table, helpFor);
  if (!command || !takesTags(command)) return "";
  const dir = options.text("dir") ?? ".";
  const config = options.text("config");
  const names = config === undefined ? ["dappfile.yaml", "dappfile.yml"] : [config];
  const paths = names.map((name) => name.startsWith("/") ? name : `${dir}/${name}`);
  const texts = await Promise.all(paths.map((path) => io.readText(path).catch(() => undefined)));
  if (!texts.some((text) => text !== undefined && /^["']?plugins["']?\s*:/m.test(text))) return "";
  try {
    const home = options.text("home");
    const place = { dir, ...(config !== undefined && { config }), ...(home !== undefined && { home }) };
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(PATIENCE_MS)]);
    await using engine = await io.createEngine({ ...place, env: io.env, signal });
    const own = (await engine.plugins()).filter(({ from }) => from !== "built-in").map(({ name }) => name);
    const flags = (await engine.tagFlags()).filter(({ plugin }) => own.includes(plugin));
    if (flags.length === 0) return "";
    const lines = flags.flatMap(({ name, value, summary, plugin }) =>
      helpRow(
        `      --${name}${value === undefined ? "" : ` ${value}`}`,
        printable(`publish under ${summary} (${plugin})`),
      )
    );
    return `\nOptions of plugins:\n${lines.join("\n")}\n`;
  } catch (error) {
    const isSlow = error instanceof DOMException && error.name === "TimeoutError";
    const why = isSlow
      ? "they did not answer within 5s"
      : error instanceof Error
      ? error.message
      : String(error);
    return `\nOptions of plugins are not known: ${printable(why)}\n`;
  }
}
