import { watch } from "../../lib/watch.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { writeSealed } from "../../lib/sealed.ts";
import type { Io, Output } from "../io.ts";
import { type Answer, answerPath, type Asked, isRepeatable, PATIENCE_MS, programNow } from "./answer.ts";
import { DenoWatch } from "./deno_watch.ts";
import { Facts, valuesOf } from "./facts.ts";
import { thinOut } from "./thin_out.ts";

/** Runs a command line, and remembers its answer where that would be the same again. */
export async function witnessed(
  args: readonly string[],
  io: Io,
  run: (args: readonly string[], io: Io) => Promise<number>,
): Promise<number> {
  if (!isRepeatable(args)) return await run(args, io);
  const witness = new Witness(args, io);
  const code = await run(args, witness.io);
  await witness.end(code);
  return code;
}

/** Writes, names and looks that are more than this are not worth it. */
const LIMIT = 4 * 1024 * 1024;

/**
 * Sees what a command reads, asks and prints, and remembers it where it did nothing else: whatever writes a file, starts a
 * program, or has to do with what cannot be looked at again makes the answer one that is not kept.
 */
export class Witness {
  /** The world that the command is to use. */
  readonly io: Io;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #names = new Set<string>();
  readonly #facts: Facts;
  readonly #deno: DenoWatch;
  readonly #hosts = new Map<string, unknown>();
  readonly #found: [domain: string, path: string, reference: string, digest: string][] = [];
  readonly #output: [1 | 2, string][] = [];
  /** When the first request to a registry was sent, and the last one answered. */
  #asked: { readonly from: number; until: number } | undefined;
  #heads = 0;
  #git: Answer["git"];
  #doubt: string | undefined;

  constructor(args: readonly string[], io: Io) {
    this.#args = args;
    this.#env = io.env;
    const doubt = (why: string) => this.#spoil(why);
    this.#facts = new Facts(Date.now(), doubt);
    this.#deno = new DenoWatch(this.#facts, { doubt, reads: (name) => this.#names.add(name) });
    watch({
      beyond: doubt,
      exchange: ({ method, status, login, ms }) => {
        const now = performance.now();
        this.#asked ??= { from: now - ms, until: now };
        this.#asked.until = now;
        if (login || (method === "HEAD" && status === 401)) return;
        if (method !== "HEAD" || status !== 200) doubt(`${method} was answered by ${status}`);
        this.#heads++;
      },
      found: (...row) => void this.#found.push(row),
      host: (domain, facts) => void this.#hosts.set(domain, facts),
    });
    this.io = this.#watched(io);
    this.#facts.see("content", decodeURIComponent(new URL(Deno.mainModule).pathname));
  }

  /** Why the answer will not be kept; undefined as long as it may be. */
  get doubt(): string | undefined {
    return this.#doubt;
  }

  /** The command has ended with this code. Keeps the answer where the next one would be the same, and that is possible. */
  async end(code: number): Promise<void> {
    if (code !== 0) this.#spoil("it failed");
    if (this.#heads !== this.#found.length) this.#spoil("something else was asked of a registry");
    const slow = this.#asked !== undefined && this.#asked.until - this.#asked.from > PATIENCE_MS;
    this.#stop();
    if (this.#doubt === undefined) await this.#keep(slow).catch(() => {}); // the directory is gone, say
  }

  async #keep(slow: boolean): Promise<void> {
    const path = await answerPath(this.#args, this.#env);
    if (path === undefined) return;
    // Whoever waited for registries would wait for them twice next time.
    if (slow) return await Deno.remove(path);
    const names = [...this.#names].sort();
    const answer: Answer = {
      program: programNow(),
      facts: this.#facts.all(),
      names,
      values: await sha256Hex(valuesOf(names, this.#env)),
      ...(this.#git && { git: this.#git }),
      registries: this.#registries(),
      output: this.#output,
    };
    const text = JSON.stringify(answer);
    if (text.length > LIMIT) return;
    await writeSealed(path, text);
    await thinOut(path.slice(0, path.lastIndexOf("/")));
  }

  #registries(): readonly Asked[] {
    return [...Map.groupBy(this.#found, ([domain]) => domain)].map(([domain, rows]) => ({
      domain,
      host: this.#hosts.get(domain),
      found: rows.map(([, ...row]) => row),
    }));
  }

  #spoil(why: string): void {
    if (this.#doubt !== undefined) return;
    this.#doubt = why;
    this.#stop();
  }

  #stop(): void {
    watch(undefined);
    this.#deno[Symbol.dispose]();
  }

  #watched(io: Io): Io {
    return {
      ...io,
      env: new Proxy(io.env, {
        get: (env, name) => {
          if (typeof name === "string") this.#names.add(name);
          return Reflect.get(env, name);
        },
        has: (env, name) => {
          if (typeof name === "string") this.#names.add(name);
          return Reflect.has(env, name);
        },
        ownKeys: (env) => {
          this.#names.add("*"); // whoever reads values as well is seen doing that
          return Reflect.ownKeys(env);
        },
      }),
      clock: {
        ...io.clock,
        date: () => {
          this.#spoil("the clock was read");
          return io.clock.date();
        },
      },
      stdout: this.#recorded(1, io.stdout),
      stderr: this.#recorded(2, io.stderr),
      gitAsked: (dir) => {
        const answers = io.gitAsked(dir);
        return answers && {
          ...answers,
          gitStatus: async (signal) => {
            const said = await answers.gitStatus!(signal);
            if (said) this.#noteGit(dir, said);
            return said;
          },
          gitListing: (signal) => {
            this.#spoil("git was asked for files");
            return answers.gitListing!(signal);
          },
        };
      },
      readStdin: () => {
        this.#spoil("standard input was read");
        return io.readStdin();
      },
      readLine: () => {
        this.#spoil("somebody was asked");
        return io.readLine();
      },
      askSecret: (question) => {
        this.#spoil("somebody was asked");
        return io.askSecret(question);
      },
    };
  }

  #noteGit(dir: string, said: Uint8Array): void {
    try {
      this.#git = { dir, status: new TextDecoder("utf-8", { fatal: true }).decode(said) };
    } catch {
      this.#spoil("git names a file that is no UTF-8");
    }
  }

  #recorded(stream: 1 | 2, output: Output): Output {
    return Object.create(output, {
      write: {
        value: (text: string) => {
          if (this.#doubt === undefined) this.#output.push([stream, text]);
          output.write(text);
        },
      },
    });
  }
}
