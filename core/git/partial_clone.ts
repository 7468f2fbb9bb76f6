import { configValue } from "./config_file.ts";
import type { GitFile, ObjectDatabase } from "./model.ts";
import { runGit } from "./process.ts";

/**
 * Fetches the blobs that a partial clone lacks in one request. git would fetch them by itself, but one at a time.
 *
 * Best effort: what is still missing afterwards is reported by whoever reads it.
 *
 * @param configFile the repository's own config, which names the remote that promised the objects
 */
export async function fetchPromised(
  configFile: string,
  database: ObjectDatabase,
  request: { readonly commit: string; readonly files: readonly GitFile[] },
): Promise<void> {
  const config = await Deno.readTextFile(configFile).catch(() => "");
  const remote = promisorOf(config);
  if (remote === undefined) return;
  const walk = ["rev-list", "--objects", "--no-object-names", "--no-walk", "--missing=print", request.commit];
  const output = await runGit([...database.at, ...walk], database);
  if (!output.success) return;
  const rows = new TextDecoder().decode(output.stdout).split("\n");
  const lacking = new Set(rows.filter((row) => row.startsWith("?")).map((row) => row.slice(1)));
  const wanted = new Set(request.files.map((file) => file.oid).filter((oid) => lacking.has(oid)));
  if (wanted.size === 0) return;
  await runGit([
    ...database.at,
    "-c",
    "fetch.negotiationAlgorithm=noop",
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--filter=blob:none",
    "--stdin",
    "--",
    remote,
  ], { ...database, stdin: [...wanted].join("\n") + "\n" });
}

/** The remote that a partial clone may ask for objects; undefined in a complete clone. */
function promisorOf(config: string): string | undefined {
  const names = [...config.matchAll(/^\s*\[remote "([^"\\]+)"\]/gm)].map((match) => match[1]!);
  return names.find((name) => configValue(config, "remote", name, "promisor") === "true") ??
    configValue(config, "extensions", "", "partialclone");
}
