/** A Dappfile of the old tool, as documents of a dappfile. */
import { type Argument, type Call, readRuby, type Statement } from "./ruby_statements.ts";
import { type Migrated, type MigratedDocument, Source } from "./source.ts";

type Value = Record<string, unknown>;

/** What holds for images that are defined from here on. */
interface Settings {
  from?: string;
  fromCacheVersion?: string;
  readonly git: Value[];
  readonly shell: Record<string, string[] | string>;
  readonly docker: Value;
  readonly mount: Value[];
  readonly imports: Value[];
  /** Lines of what is there once. */
  readonly at: Record<string, readonly [line: number, end: number]>;
}

const STAGES: Readonly<Record<string, string>> = {
  before_install: "beforeInstall",
  install: "install",
  before_setup: "beforeSetup",
  setup: "setup",
  build_artifact: "buildArtifact",
};

/** Stages of which an entry of git says what they read. */
const DEPENDENCIES = Object.fromEntries(Object.entries(STAGES).filter(([old]) => old !== "before_install"));

const DOCKER_LISTS = ["volume", "expose", "onbuild"];
const DOCKER_TEXTS = ["workdir", "user"];
const DOCKER_WORDS = ["cmd", "entrypoint"];
const DOCKER_MAPS = ["env", "label"];

const CHEF = "Write what its recipes do as commands under `shell`";
const RUBY = "Write by hand what it makes; equal parts go under `defaults`, `template` or `matrix`";

/** Converts the text of a file. Never fails. */
export function migrateRuby(file: string, text: string): Migrated {
  const source = new Source(file, text);
  const comments = source.lines.flatMap((line, at) => {
    const comment = /^\s*#\s?(.*)$/.exec(line);
    if (!comment) return [];
    source.took(at + 1);
    return [`${file}:${at + 1}: ${comment[1]}`];
  });
  const { statements, others } = readRuby(source.lines);
  for (const { line, end } of others) {
    source.remark(line, end, "it is Ruby that a dappfile cannot say: it is left out", RUBY);
  }
  const reader = new Reader(source);
  reader.group(statements, empty());
  return { documents: reader.documents, comments, remarks: source.remarks() };
}

function empty(): Settings {
  return { git: [], shell: {}, docker: {}, mount: [], imports: [], at: {} };
}

class Reader {
  readonly documents: MigratedDocument[] = [];
  #artifacts = 0;

  constructor(readonly source: Source) {}

  /** Directives of a group hold for what follows them in it. */
  group(statements: readonly Statement[], settings: Settings): void {
    const last = statements.findLastIndex(({ calls }) => ["dimg", "dimg_group"].includes(calls[0]!.name));
    for (const [at, statement] of statements.entries()) {
      if (at <= last) this.#directive(statement, settings, true);
      else {this.#leave(
          statement,
          "no dimg follows that it would hold for: it is left out",
          "Nothing must be done",
        );}
    }
  }

  #image(statement: Statement, outer: Settings, kind: "dimg" | "artifact", name: string | null): void {
    const settings = structuredClone(outer);
    this.#closed(statement);
    for (const inner of statement.body ?? []) this.#directive(inner, settings, kind === "dimg");
    const { git, shell, docker, mount, imports, from, fromCacheVersion } = settings;
    const runs = Object.keys(shell).some((key) =>
      key !== "beforeInstall" && Object.values(STAGES).includes(key)
    );
    this.documents.push({
      comments: from === undefined ? ["It had no docker.from: nothing but what is imported is in it."] : [],
      value: {
        [kind]: name,
        from: from ?? "scratch",
        ...(fromCacheVersion !== undefined && { fromCacheVersion }),
        ...(git.length > 0 && { git: git.map((entry) => seen(entry, runs)) }),
        ...(imports.length > 0 && { import: imports }),
        ...(Object.keys(shell).length > 0 && { shell }),
        ...(mount.length > 0 && { mount }),
        ...(kind === "dimg" && Object.keys(docker).length > 0 && { docker }),
      },
    });
  }

  #directive(statement: Statement, settings: Settings, dimgs: boolean): void {
    const [call, ...chain] = statement.calls;
    const { name, args } = call!;
    const [argument] = args;
    switch (name) {
      case "dimg_group":
        this.#closed(statement);
        return this.group(statement.body ?? [], structuredClone(settings));
      case "dimg":
        return this.#image(statement, settings, "dimg", typeof argument === "string" ? argument : null);
      case "artifact":
        return this.#artifact(statement, settings, typeof argument === "string" ? argument : undefined);
      case "docker":
        return this.#each(statement, chain, (inner) => this.#docker(inner, settings, dimgs));
      case "shell":
        return this.#each(statement, chain, (inner) => this.#shell(inner, settings));
      case "git":
        return this.#git(statement, chain, typeof argument === "string" ? argument : undefined, settings);
      case "mount":
        return this.#mount(statement, typeof argument === "string" ? argument : undefined, settings);
      case "import":
        if (typeof argument !== "string") return this.#leave(statement);
        settings.imports.push({
          artifact: argument,
          ...this.#fields(unchained(statement), { add: "add", ...IMPORT }),
        });
        return;
      default:
        return this.#leave(statement);
    }
  }

  #artifact(statement: Statement, settings: Settings, given: string | undefined): void {
    const name = given ?? `artifact-${++this.#artifacts}`;
    const body = statement.body ?? [];
    for (const inner of body.filter(({ calls }) => calls[0]!.name === "export")) {
      const path = inner.calls[0]!.args[0];
      if (typeof path !== "string") this.#leave(inner);
      else settings.imports.push({ artifact: name, add: path, ...this.#fields(unchained(inner), IMPORT) });
    }
    const others = body.filter(({ calls }) => calls[0]!.name !== "export");
    const { imports: _, docker: __, ...inherited } = settings;
    this.#image({ ...statement, body: others }, { ...inherited, imports: [], docker: {} }, "artifact", name);
  }

  #git(statement: Statement, chain: readonly Call[], url: string | undefined, settings: Settings): void {
    const common: Value = url === undefined ? {} : { url };
    if (chain[0]?.name === "add") {
      this.source.took(statement.line, statement.end);
      const entry = this.#entry(chain, { ...statement, calls: chain.slice(0, 1) });
      settings.git.push({ ...common, ...entry });
      return;
    }
    if (chain.length > 0 || !statement.body) return this.#leave(statement);
    this.#closed(statement);
    const adds = statement.body.filter(({ calls }) => calls[0]!.name === "add");
    const shared = this.#fields(
      { ...statement, body: statement.body.filter((each) => !adds.includes(each)) },
      GIT,
    );
    for (const add of adds) settings.git.push({ ...common, ...shared, ...this.#entry(add.calls, add) });
  }

  #entry(calls: readonly Call[], statement: Statement): Value {
    const path = calls[0]!.args[0];
    return {
      ...(typeof path === "string" && { add: path }),
      ...this.#fields(unchained({ ...statement, calls }), GIT),
    };
  }

  #mount(statement: Statement, to: string | undefined, settings: Settings): void {
    if (to === undefined) return this.#leave(statement);
    settings.mount.push({
      to,
      ...this.#fields(unchained(statement), { from: "from", from_path: "fromPath" }),
    });
  }

  #docker({ calls, line, end }: Statement, settings: Settings, dimgs: boolean): void {
    const [{ name, args }] = calls as [Call];
    const values = args.flatMap((each) =>
      typeof each === "string" ? [each] : Array.isArray(each) ? each : []
    );
    const [options] = args.filter(isNamed);
    const key = name.toUpperCase();
    this.source.took(line, end);
    if (
      values[0] !== undefined &&
      (name === "from" || dimgs && [...DOCKER_TEXTS, ...DOCKER_WORDS].includes(name))
    ) {
      this.#replaced(name === "from" ? settings.from : settings.docker[key], settings.at[name]);
      settings.at[name] = [line, end];
    }
    if (name === "from" && values[0] !== undefined) {
      settings.from = values[0];
      if (options?.cache_version !== undefined) settings.fromCacheVersion = options.cache_version;
    } else if (dimgs && DOCKER_MAPS.includes(name) && options) {
      settings.docker[key] = { ...settings.docker[key] as object, ...options };
    } else if (dimgs && DOCKER_TEXTS.includes(name) && values[0] !== undefined) {
      settings.docker[key] = values[0];
    } else if (dimgs && DOCKER_LISTS.includes(name) && values.length > 0) {
      settings.docker[key] = [...settings.docker[key] as string[] ?? [], ...values];
    } else if (dimgs && DOCKER_WORDS.includes(name) && values.length > 0) {
      settings.docker[key] = args.length === 1 && typeof args[0] === "string" ? args[0] : values;
    } else {
      this.#leave({ calls, line, end });
    }
  }

  /** A value that another one takes the place of, and that no image has. */
  #replaced(former: unknown, at: readonly [line: number, end: number] | undefined): void {
    if (at === undefined || JSON.stringify(this.documents).includes(JSON.stringify(former))) return;
    this.source.remark(...at, "a later one takes its place: it is left out", "Nothing must be done");
  }

  #shell(statement: Statement, settings: Settings): void {
    const [{ name, args }, ...chain] = statement.calls as [Call, ...Call[]];
    const stage = STAGES[name];
    if (name === "version" && typeof args[0] === "string") {
      this.source.took(statement.line, statement.end);
      settings.shell.cacheVersion = args[0];
      return;
    }
    if (stage === undefined) return this.#leave(statement);
    this.#each(statement, chain, (inner) => {
      const [{ name: what, args: texts }] = inner.calls as [Call];
      const commands = texts.flatMap((each) =>
        typeof each === "string" ? [each] : Array.isArray(each) ? each : []
      );
      this.source.took(inner.line, inner.end);
      if (what === "run" && commands.length > 0) {
        settings.shell[stage] = [...settings.shell[stage] ?? [], ...commands];
      } else if (what === "version" && commands[0] !== undefined) {
        settings.shell[`${stage}CacheVersion`] = commands[0];
      } else {
        this.#leave(inner);
      }
    });
  }

  /** A call that follows with a dot, or each of a block. */
  #each(statement: Statement, chain: readonly Call[], work: (inner: Statement) => void): void {
    if (chain.length > 0) {
      this.#closed(statement);
      return work({ ...statement, calls: chain });
    }
    if (!statement.body) return this.#leave(statement);
    this.#closed(statement);
    for (const inner of statement.body) work(inner);
  }

  /** What the calls of a block say, by the names of a dappfile. */
  #fields(statement: Statement, names: Readonly<Record<string, string>>): Value {
    this.#closed(statement);
    const out: Value = {};
    for (const inner of statement.body ?? []) {
      const [{ name, args }, ...chain] = inner.calls as [Call, ...Call[]];
      const values = args.flatMap((each) =>
        typeof each === "string" ? [each] : Array.isArray(each) ? each : []
      );
      const key = names[name];
      if (name === "stage_dependencies" && key !== undefined && (inner.body || chain.length > 0)) {
        const said = chain.length > 0 ? { ...inner, body: [{ ...inner, calls: chain }] } : inner;
        out[key] = { ...out[key] as object, ...this.#fields(said, DEPENDENCIES) };
      } else if (key === undefined || values.length === 0) {
        this.#leave(inner);
      } else {
        this.source.took(inner.line, inner.end);
        const many = key.endsWith("Paths") || Object.values(STAGES).includes(key);
        out[key] = many ? values : values[0]!;
      }
    }
    return out;
  }

  #closed({ line, end, closes }: Statement): void {
    this.source.took(line, end);
    if (closes !== undefined) this.source.took(closes);
  }

  #leave({ calls, line, end, closes }: Statement, what?: string, then?: string): void {
    const name = calls.map(({ name }) => name).join(".");
    const advice = name.startsWith("chef")
      ? CHEF
      : "Look whether it is needed; docs/dappfile.md has all keys";
    this.source.remark(
      line,
      closes ?? end,
      what ?? `a dappfile has no counterpart of \`${name}\`: it is left out`,
      then ?? advice,
    );
  }
}

const IMPORT: Readonly<Record<string, string>> = {
  ...{ to: "to", before: "before", after: "after", owner: "owner", group: "group" },
  ...{ include_paths: "includePaths", exclude_paths: "excludePaths" },
};
const GIT: Readonly<Record<string, string>> = {
  ...{ to: "to", owner: "owner", group: "group", branch: "branch", commit: "commit", tag: "tag" },
  ...{
    include_paths: "includePaths",
    exclude_paths: "excludePaths",
    stage_dependencies: "stageDependencies",
  },
};

/** `export('/a').to '/b'` as if it were a block: what follows with dots stands in its body. */
function unchained({ calls: [first, ...chain], body = [], ...statement }: Statement): Statement {
  const { line, end } = statement;
  return {
    ...statement,
    calls: [first!],
    body: [...chain.map((call) => ({ calls: [call], line, end })), ...body],
  };
}

/** Commands of the old tool see the whole tree; those of dapp see what is declared, unless this is said. */
function seen(entry: Value, runs: boolean): Value {
  return runs
    ? { ...entry, stageDependencies: { ...entry.stageDependencies as object, visible: "all" } }
    : entry;
}

function isNamed(argument: Argument): argument is Readonly<Record<string, string>> {
  return typeof argument === "object" && !Array.isArray(argument);
}
