/** Where the modules of plugins are. */

/** A plugin that is a module. */
export interface PluginModule {
  /** As the dappfile names it. */
  readonly use: string;
  readonly url: string;
  /** URL of the project, with a slash at the end. */
  readonly project: string;
}

/** The module that `use` names; undefined for what is neither a path nor a URL. */
export function moduleUrl(use: string, projectDir: string): string | undefined {
  if (/^(npm|jsr|https|file):/.test(use)) return use;
  if (use.startsWith("/")) return fileUrl(use);
  if (use.startsWith("./") || use.startsWith("../")) return new URL(use, fileUrl(projectDir + "/")).href;
  return undefined;
}

/** The URL of a file. */
export function fileUrl(path: string): string {
  return "file://" + path.split("/").map(encodeURIComponent).join("/");
}

/** The path of a URL of a file. */
export function pathOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname);
}
