/** Where dapp's own modules are, which the process of a plugin loads. */

const child = new URL("./child.ts", import.meta.url);
/** The checkout or package that these modules are of, with a slash at the end. */
const root = new URL("../../../", child);

/** Paths that plugins may read, since `@dapp/dapp/plugin` is there. Nothing in them is secret. */
export function ownModules(): readonly string[] {
  if (root.protocol !== "file:") return [];
  const dir = decodeURIComponent(root.pathname);
  if (child.pathname.endsWith(".js")) return [dir.replace(/\/$/, "")]; // a package: all of it is published
  return ["core", "lib", "plugins", "testing", "types", "mod.ts", "plugin.ts"].map((name) => dir + name);
}

/** The modules that plugins find by dapp's names. */
export function dappByName(): Readonly<Record<string, string>> {
  const extension = child.pathname.slice(child.pathname.lastIndexOf("."));
  return {
    "@dapp/dapp": new URL(`mod${extension}`, root).href,
    "@dapp/dapp/plugin": new URL(`plugin${extension}`, root).href,
  };
}

/** Where plugins find dapp by its names; nothing where a deno.json beside dapp's modules says it. */
export function importMapFlags(): readonly string[] {
  if (root.protocol === "file:") return [];
  return [
    `--import-map=data:application/json,${encodeURIComponent(JSON.stringify({ imports: dappByName() }))}`,
  ];
}

/**
 * A deno.json in which a module stands for dapp, by name and as a package of JSR: dapp itself is no part of what is
 * pinned, nor fetched, since its plugins run with the dapp that loads them.
 */
export async function dappAs(module: string): Promise<object> {
  const version = root.protocol === "file:"
    ? JSON.parse(await Deno.readTextFile(new URL("deno.json", root))).version
    : root.pathname.split("/").at(-2);
  return { name: "@dapp/dapp", version, exports: { ".": module, "./plugin": module } };
}

/** The deno.json beside dapp's modules, which says where its packages are. */
export function projectFlags(): readonly string[] {
  return root.protocol === "file:"
    ? [`--config=${decodeURIComponent(root.pathname)}deno.json`]
    : ["--no-config"];
}
