/** Links in the texts of a directory, as a reader follows them. */
import { anchorOf } from "../../site/markdown.ts";

/** How many there are to files beside them, and those that lead nowhere. */
export async function linksIn(
  dir: string,
): Promise<{ readonly count: number; readonly broken: readonly string[] }> {
  const broken: string[] = [];
  let count = 0;
  for (const file of await textsIn(dir)) {
    const text = withoutCode(await Deno.readTextFile(file));
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      count++;
      const { pathname, hash } = new URL(link, `file://${file}`);
      const path = decodeURIComponent(pathname);
      const there = path.startsWith(`${dir}/`) && await Deno.stat(path).catch(() => undefined);
      const anchor = decodeURIComponent(hash.slice(1));
      const leads = there && (anchor === "" || !path.endsWith(".md") || (await anchorsOf(path)).has(anchor));
      if (!leads) broken.push(`${file.slice(dir.length + 1)}: ${link}`);
    }
  }
  return { count, broken };
}

async function textsIn(dir: string): Promise<readonly string[]> {
  const out: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory && name !== "node_modules") out.push(...await textsIn(`${dir}/${name}`));
    else if (name.endsWith(".md")) out.push(`${dir}/${name}`);
  }
  return out;
}

async function anchorsOf(file: string): Promise<ReadonlySet<string>> {
  const anchors = new Set<string>();
  for (const [, title] of withoutCode(await Deno.readTextFile(file)).matchAll(/^#{1,6} (.*)$/gm)) {
    const id = anchorOf(title!);
    let unique = id;
    for (let n = 1; anchors.has(unique); n++) unique = `${id}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```/gms, "");
}
