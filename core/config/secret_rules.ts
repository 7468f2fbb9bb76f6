import { suggest } from "../../lib/suggest.ts";
import type { ImageRule, SecretRule } from "../contract/config.ts";
import { defined, given, requireKey } from "./parts.ts";
import type { DocumentScope, Path } from "./report.ts";
import type { ImageDocument } from "./schema.ts";

type Entry = NonNullable<NonNullable<ImageDocument["secrets"]>[number]>;

/** Where commands find a secret for which nothing else is said. */
const SECRETS_DIR = "/run/secrets";

/** Reads `secrets` and reports what its entries do to each other, to mounts and to the commands. */
export function readSecrets(
  document: ImageDocument,
  shell: ImageRule["shell"],
  scope: DocumentScope,
): SecretRule[] {
  const taken = new Map<string, Path>();
  for (const [i, entry] of (document.mount ?? []).entries()) {
    if (entry?.to !== undefined) taken.set(entry.to, ["mount", i]);
  }
  const rules = (document.secrets ?? []).flatMap((entry, i) =>
    entry === undefined ? [] : readSecret(entry, ["secrets", i], taken, scope)
  );
  const commands = Object.values(shell).flatMap((stage) => stage.commands);
  if (commands.length === 0 && document.dockerfile === undefined) {
    for (const key of ["secrets", "ssh"] as const) {
      if (document[key]?.length) scope.warn([key], `\`shell\` has no commands that could use \`${key}\``);
    }
  }
  if (rules.length > 0) warnOfUnknown(rules, shell, scope);
  return rules;
}

function readSecret(entry: Entry, at: Path, taken: Map<string, Path>, scope: DocumentScope): SecretRule[] {
  requireKey(scope, at, entry, "id", "Name the secret: commands see it as /run/secrets/ID");
  const sources = (["env", "file"] as const).filter((key) => given(scope, at, entry, key));
  if (sources.length === 0) {
    scope.problem(
      at,
      "`env` or `file` is missing",
      "Say where the value comes from, such as `env: NPM_TOKEN`",
    );
  } else if (sources.length === 2) {
    scope.problem([...at, "file"], "`env` and `file` exclude each other", "Keep one of them", "key");
  }
  const { id, env, file, as, version } = entry;
  if (id === undefined) return [];
  const target = entry.target ?? (as === undefined ? `${SECRETS_DIR}/${id}` : undefined);
  if (target === "/") scope.problem([...at, "target"], "No file can be `/`", "Name a file below it");
  const names = [
    { name: `id ${id}`, what: `"${id}" is an id twice`, key: "id" },
    { name: target, what: `"${target}" is there twice`, key: entry.target === undefined ? "id" : "target" },
    { name: as && `variable ${as}`, what: `"${as}" is a variable twice`, key: "as" },
  ];
  for (const { name, what, key } of names) {
    if (name === undefined) continue;
    const before = taken.get(name);
    if (before) {
      scope.problem([...at, key], `${what}: first on ${scope.where(before)}`, "Keep one of them");
      break;
    }
    taken.set(name, at);
  }
  const source = env !== undefined ? { env } : file !== undefined ? { file } : undefined;
  if (!source) return [];
  return [{ id, source, ...defined({ target, as, version }), ...scope.position(at) }];
}

/** Says when commands name a secret that the image does not have. */
function warnOfUnknown(rules: readonly SecretRule[], shell: ImageRule["shell"], scope: DocumentScope): void {
  const ids = rules.map(({ id }) => id);
  const targets = rules.map(({ target }) => target);
  for (const [stage, { commands }] of Object.entries(shell)) {
    for (const command of commands) {
      for (const [path, name] of command.matchAll(/\/run\/secrets\/([A-Za-z0-9][\w-]*(?:\.[\w-]+)*)/g)) {
        if (targets.includes(path)) continue;
        const meant = suggest(name!, ids) ?? (ids.includes(name!) ? undefined : ids.join(", "));
        scope.warn(
          ["shell", stage],
          `${path} is not there: ${
            meant ? `this image has ${meant}` : `secret ${name} is seen in another place`
          }`,
        );
      }
    }
  }
}
