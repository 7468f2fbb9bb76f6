import type { SecretSource } from "../mod.ts";
import { usage } from "./usage.ts";

/**
 * Where secrets come from, by id: `ID=FILE`, or as docker build takes them, `id=ID,src=FILE` and `id=ID,env=NAME`.
 *
 * @throws USAGE
 */
export function parseSecrets(values: readonly string[], path: string): Record<string, SecretSource> {
  const out: Record<string, SecretSource> = Object.create(null);
  for (const value of values) {
    const parsed = parseSecret(value);
    if (!parsed) {
      throw usage(
        `Cannot use option "--secret" with "${value}": wanted is ID=FILE, id=ID,src=FILE or id=ID,env=NAME`,
        path,
      );
    }
    out[parsed.id] = parsed.source;
  }
  return out;
}

function parseSecret(value: string): { id: string; source: SecretSource } | undefined {
  if (!/^(?:id|type|src|source|env)=/.test(value)) {
    const [, id, file] = /^([A-Za-z0-9][\w.-]*)=(.+)$/s.exec(value) ?? [];
    return id && file ? { id, source: { file } } : undefined;
  }
  const fields = new Map(
    value.split(",").map((field) => {
      const cut = field.indexOf("=");
      return [field.slice(0, cut), field.slice(cut + 1)] as const;
    }),
  );
  const id = fields.get("id");
  const env = fields.get("env");
  const file = fields.get("src") ?? fields.get("source");
  const known = ["id", "type", "src", "source", "env"];
  if (!id || [...fields.keys()].some((key) => !known.includes(key)) || !env === !file) return undefined;
  return { id, source: env ? { env } : { file: file! } };
}
