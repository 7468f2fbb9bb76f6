import { EngineError, messageOf } from "../contract/errors.ts";
import type { PluginModule } from "./module_url.ts";

/** What kept a plugin's module from being loaded: it is not there, something in it is wrong, or it failed by itself. */
export async function importError(
  { use, url, project }: PluginModule,
  cause: unknown,
): Promise<EngineError> {
  const { stripAnsiCode } = await import("@std/fmt/colors");
  const text = stripAnsiCode(messageOf(cause));
  const fail = (why: string, fix: string) =>
    new EngineError("PLUGIN_NOT_FOUND", `Cannot load plugin "${use}": ${why}`, { fix });
  const [first = ""] = text.split("\n");
  const why = first.replace(/^SyntaxError: /, "").replace(/\.$/, "").replaceAll(project, "");
  const at = /\s+at ((?:file|https?):\/\/\S+:\d+:\d+)$/.exec(text)?.[1]?.replace(project, "");
  const where = at === undefined || why.includes(at) ? "" : `, at ${at}`;
  const denied = /Requires (.*?),? (?:run again|specify)/.exec(first)?.[1];
  if (denied !== undefined) {
    return fail(
      `it may not have ${denied}${where}`,
      "Leave that out, or have the plugin declare it under `rights`",
    );
  }
  if (!(cause instanceof TypeError && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) {
    return fail(`${why}${where}`, "Correct the plugin: it failed with this while it was loaded");
  }
  if (at === undefined) {
    return url.startsWith("file:")
      ? noFile(decodeURI(url.slice("file://".length)), use, fail)
      : fail(why, "Correct the name after `use:`, and see whether the server it comes from can be reached");
  }
  // Only one that dapp loads into its own process, and does not lie beside, does not find it.
  if (/^Import "@dapp\/dapp(?:\/plugin)?" not a dependency/.test(first)) {
    return fail(
      `${why}${where}`,
      "Leave out `trusted`, or install dapp in the project: npm install @dapp/dapp",
    );
  }
  return fail(
    `${why}${where}`,
    first.startsWith("SyntaxError:")
      ? "Correct that line of the plugin"
      : 'Correct that import: dapp itself is "@dapp/dapp/plugin" (and "@dapp/dapp"), a package "npm:NAME", a file starts with "./"',
  );
}

function noFile(path: string, use: string, fail: (why: string, fix: string) => EngineError): EngineError {
  let isDirectory = false;
  try {
    isDirectory = Deno.statSync(path).isDirectory;
  } catch { /* it is not there, or may not be looked at */ }
  return isDirectory
    ? fail(`"${path}" is a directory`, `Name the file in it: ${use.replace(/\/$/, "")}/mod.ts`)
    : fail(`there is no file "${path}"`, "Correct the path after `use:`");
}
