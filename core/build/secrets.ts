import { suggest } from "../../lib/suggest.ts";
import type { ImageRule, SecretRule, SecretSource } from "../contract/config.ts";
import { EngineError, messageOf, type Problem } from "../contract/errors.ts";
import type { ResolvedOptions, SecretReader } from "../settings/options.ts";
import { shownKind } from "../../lib/shown_kind.ts";
import { imageTitle } from "../sign/graph.ts";

/** Bytes that a secret may have, the same as in other tools: it is a key or token, not a data set. */
const MAX_BYTES = 500 * 1024;
/** Bytes that Linux takes in one variable. */
const MAX_VARIABLE = 128 * 1024;

/** What reading secrets takes. */
export type SecretNeeds = Pick<ResolvedOptions, "dir" | "env" | "secrets" | "masker" | "emit" | "signal">;

/** Why a value cannot be had: a phrase, and what to do. */
interface Refusal {
  readonly why: string;
  readonly hint: string;
}

/**
 * The values of secrets, read before the first command that needs one starts, and kept in memory alone. Whatever is read
 * is masked from then on.
 */
export class SecretVault {
  /** By what {@linkcode keyOf} says. */
  readonly #values = new Map<string, Uint8Array>();

  constructor(readonly options: SecretNeeds) {}

  /**
   * Reads all that the images declare, and looks for their ssh agents. `file` is the dappfile, for messages.
   *
   * @throws SECRET_UNAVAILABLE with every problem found; CONFIG_INVALID when a value stands in the dappfile
   */
  async load(rules: readonly ImageRule[], file: string): Promise<void> {
    const problems: Problem[] = [];
    const problem = (at: ImageRule | SecretRule, { why, hint }: Refusal) => {
      const place = { file: at.file ?? file, line: at.line };
      const isSame = (known: Problem) =>
        known.file === place.file && known.line === place.line && known.message === why;
      if (!problems.some(isSame)) problems.push({ ...place, column: 0, message: why, hint });
    };
    for (const rule of rules) {
      for (const secret of rule.secrets) {
        const read = await this.#read(secret);
        if (!(read instanceof Uint8Array)) problem(secret, read);
        else this.#keep(secret, read);
      }
      if (rule.ssh.length > 0 && !await isSocket(this.options.env.SSH_AUTH_SOCK)) {
        problem(rule, {
          why: `${imageTitle(rule.kind, rule.name)} wants the ssh agent, and there is none at $SSH_AUTH_SOCK`,
          hint: "Start ssh-agent and add a key with ssh-add, or name the key with --ssh-key",
        });
      }
    }
    if (problems.length > 0) {
      const titles = rules.map(({ kind, name }) => imageTitle(kind, name)).join(", ");
      throw new EngineError("SECRET_UNAVAILABLE", `Cannot build ${titles}: a secret is not here`, {
        problems,
      });
    }
    for (const rule of rules) this.#refuseWritten(rule);
  }

  /** The value of a secret that was loaded. */
  value({ id, source }: SecretRule): Uint8Array {
    const value = this.#values.get(keyOf(id, this.#sourceOf(id, source)));
    if (!value) throw new TypeError(`Secret "${id}" was not loaded`);
    return value;
  }

  /** The socket of the ssh agent. */
  get agent(): string {
    return this.options.env.SSH_AUTH_SOCK ?? "";
  }

  #sourceOf(id: string, source: SecretSource): SecretSource | SecretReader {
    return this.options.secrets[id] ?? source;
  }

  #keep({ id, source }: SecretRule, value: Uint8Array): void {
    const key = keyOf(id, this.#sourceOf(id, source));
    if (this.#values.has(key)) return;
    this.#values.set(key, value);
    if (this.options.masker.add(value)) return;
    const text = `Secret ${id} is too short to be told from other text: its value is not masked in output`;
    this.options.emit({ type: "note", level: "warn", text });
  }

  async #read({ id, source, as }: SecretRule): Promise<Uint8Array | Refusal> {
    const from = this.#sourceOf(id, source);
    const value = typeof from === "function"
      ? this.#values.get(keyOf(id, from)) ?? await this.#asked(id, from)
      : "env" in from
      ? this.#variable(id, from.env)
      : await this.#file(id, from.file);
    if (!(value instanceof Uint8Array)) return value;
    if (value.length > MAX_BYTES) return tooLarge(id, value.length, MAX_BYTES);
    if (as === undefined) return value;
    if (value.length > MAX_VARIABLE) return tooLarge(id, value.length, MAX_VARIABLE);
    if (!value.includes(0)) return value;
    return { why: `Secret "${id}" has a NUL byte, which no variable can hold`, hint: "Leave out `as`" };
  }

  #variable(id: string, name: string): Uint8Array | Refusal {
    const value = this.options.env[name];
    if (value) return new TextEncoder().encode(value);
    const near = value === undefined ? suggest(name, Object.keys(this.options.env)) : undefined;
    return {
      why: `Secret "${id}" comes from variable "${name}", which is ${
        value === undefined ? "not set" : "empty"
      }`,
      hint: near ? `Did you mean \`${near}\`?` : `Set ${name}, or give it with --secret ${id}=FILE`,
    };
  }

  /** What the program gives; nobody waits for one that does not heed the signal. */
  async #asked(id: string, reader: SecretReader): Promise<Uint8Array | Refusal> {
    const { signal } = this.options;
    const refusal = (why: string) => ({
      why: `Secret "${id}" comes from a function of the program, which ${why}`,
      hint: "Have `secrets` of the engine's options give a text or bytes",
    });
    try {
      const { abortable } = await import("@std/async/abortable");
      const value: unknown = await abortable((async () => await reader(signal))(), signal);
      if (typeof value === "string" && value !== "") return new TextEncoder().encode(value);
      // A copy: what the program does with its own later changes nothing.
      if (value instanceof Uint8Array && value.length > 0) return value.slice();
      return refusal(`gave ${value instanceof Uint8Array ? "no bytes" : shownKind(value)}`);
    } catch (error) {
      signal.throwIfAborted();
      return refusal(`failed: ${messageOf(error)}`);
    }
  }

  async #file(id: string, name: string): Promise<Uint8Array | Refusal> {
    const path = this.#pathOf(name);
    const refusal = (how: string, hint = `Make it, or give it with --secret ${id}=FILE`) => ({
      why: `Secret "${id}" comes from file "${path}", which ${how}`,
      hint,
    });
    try {
      const { isFile, size } = await Deno.stat(path);
      if (!isFile) return refusal("is no regular file");
      if (size > MAX_BYTES) return tooLarge(id, size, MAX_BYTES);
      const bytes = await Deno.readFile(path);
      return bytes.length > 0 ? bytes : refusal("is empty");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return refusal("does not exist");
      if (error instanceof Deno.errors.PermissionDenied) {
        return refusal("this user may not read", "Change its mode or owner");
      }
      throw error;
    }
  }

  #pathOf(name: string): string {
    if (name.startsWith("/")) return name;
    if (name.startsWith("~/")) return `${this.options.env.HOME ?? ""}${name.slice(1)}`;
    return `${this.options.dir}/${name.replace(/^(?:\.\/)+/, "")}`;
  }

  /** What stands in the dappfile is signed, printed and kept: no value may be there, `${{ env.X }}` or not. */
  #refuseWritten(rule: ImageRule): void {
    const written = JSON.stringify([rule.shell, rule.docker ?? {}, rule.git, rule.base]);
    for (const secret of rule.secrets) {
      const value = new TextDecoder().decode(this.value(secret)).trim();
      if (value.length < 8 || !written.includes(JSON.stringify(value).slice(1, -1))) continue;
      throw new EngineError(
        "CONFIG_INVALID",
        `Cannot build ${
          imageTitle(rule.kind, rule.name)
        }: the value of secret "${secret.id}" stands in its commands ` +
          "or instructions, which are signed, printed and kept",
        { fix: `Let commands read it from ${secret.target ?? `$${secret.as}`} instead of \${{ env.… }}` },
      );
    }
  }
}

/** @throws USAGE when `--secret` names an id that no image has */
export function checkSecretOptions(
  secrets: ResolvedOptions["secrets"],
  rules: readonly ImageRule[],
): void {
  const ids = [...new Set(rules.flatMap((rule) => rule.secrets.map(({ id }) => id)))];
  for (const id of Object.keys(secrets)) {
    if (ids.includes(id)) continue;
    const near = suggest(id, ids);
    throw new EngineError("USAGE", `Cannot use secret "${id}": no image of the dappfile has one of this id`, {
      fix: near
        ? `Did you mean "${near}"?`
        : ids.length > 0
        ? `There are: ${ids.join(", ")}`
        : "Declare it under `secrets` of the dimg whose commands read it",
    });
  }
}

function tooLarge(id: string, size: number, limit: number): Refusal {
  return {
    why: `Secret "${id}" has ${size} bytes: the limit is ${limit}`,
    hint: "Mount what is large with `mount`, or fetch it in a command with a token",
  };
}

function keyOf(id: string, source: SecretSource | SecretReader): string {
  if (typeof source === "function") return `program ${id}`;
  return "env" in source ? `env ${source.env}` : `file ${source.file}`;
}

async function isSocket(path: string | undefined): Promise<boolean> {
  if (!path) return false;
  try {
    return (await Deno.stat(path)).isSocket ?? false;
  } catch {
    return false;
  }
}
