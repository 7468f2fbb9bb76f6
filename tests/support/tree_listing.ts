/** What a directory tree holds, entry by entry, as text that can be compared. Uses GNU find, stat, sha256sum and getfattr. */
import { run } from "./process.ts";

const script = `
set -eu
cd "$1"
find . -mindepth 1 -print0 | LC_ALL=C sort -z | xargs -0 -r stat --printf '%N\\t%F %a %u:%g %t,%T\\n'
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
getfattr -Rhd -m '^(security\\.capability|user\\.)' -e hex . 2>/dev/null | grep -v '^$' || true
`;

/** Rows of type, mode, owner, link target, content digest and extended attributes of everything below `dir`. */
export async function listTree(
  dir: string,
  options: { readonly without?: readonly RegExp[] } = {},
): Promise<string[]> {
  const { stdout } = await run(["sh", "-c", script, "sh", dir]);
  const without = options.without ?? [];
  return stdout.split("\n").filter((line) => line !== "" && !without.some((pattern) => pattern.test(line)));
}

/** Rows that only one side has, marked "-" and "+"; empty when the trees are the same. */
export function differences(a: readonly string[], b: readonly string[]): string[] {
  const [left, right] = [new Set(a), new Set(b)];
  return [
    ...a.filter((row) => !right.has(row)).map((row) => `- ${row}`),
    ...b.filter((row) => !left.has(row)).map((row) => `+ ${row}`),
  ];
}
