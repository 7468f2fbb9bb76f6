/** From files of another tool to a dappfile. */
import { EngineError } from "../../core/contract/errors.ts";
import { suggest } from "../../lib/suggest.ts";
import { composeDappfile } from "./compose.ts";
import { migrateBake, migrateCompose } from "./docker_compose.ts";
import { migrateDockerfile } from "./dockerfile.ts";
import { directoryOf } from "./dockerfile_files.ts";
import { migrateRuby } from "./ruby.ts";
import type { Migrated, Remark } from "./source.ts";
import { migrateWerf } from "./werf.ts";

/** What can be converted, with the files that are looked for. */
const migrations: Readonly<Record<string, readonly string[]>> = {
  werf: ["werf.yaml", "werf.yml"],
  dockerfile: ["Dockerfile", "Containerfile"],
  compose: ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
  bake: ["docker-bake.json", "docker-bake.hcl"],
  dapp: ["Dappfile", "dappfile.yml", "dappfile.yaml"],
};

/** The project directory, by paths in it. */
export interface MigratedProject {
  /** Its name. */
  readonly name: string;
  /** Text of a file; undefined when it is not there. */
  read(path: string): Promise<string | undefined>;
  /** Names in a directory; none when it is none. */
  list(dir: string): Promise<readonly string[]>;
}

/** A dappfile that was made. */
export interface MigratedProjectFile {
  readonly text: string;
  readonly files: readonly string[];
  readonly remarks: readonly Remark[];
}

/** Converts files. @throws {EngineError} USAGE when there is no such kind or file */
export async function migrate(
  kind: string,
  given: readonly string[],
  project: MigratedProject,
): Promise<MigratedProjectFile> {
  const names = Object.hasOwn(migrations, kind) ? migrations[kind] : undefined;
  if (!names) {
    const near = kindMeant(kind);
    throw new EngineError("USAGE", `Cannot migrate from "${kind}": that is not known`, {
      fix: near === undefined
        ? `Known are ${Object.keys(migrations).join(", ")}; for other projects there is dapp init`
        : `Did you mean: dapp migrate ${near}?`,
    });
  }
  const there = new Set(await project.list(""));
  const files = given.length > 0
    ? given.map((file) => file.replace(/^\.\//, ""))
    : names.filter((name) => there.has(name)).slice(0, 1);
  if (files.length === 0) {
    throw new EngineError("USAGE", `Cannot migrate from ${kind}: there is no ${names.join(" or ")} here`, {
      fix: `Name the file: dapp migrate ${kind} FILE`,
    });
  }
  const migrated: Migrated[] = [];
  for (const file of files) {
    const text = await project.read(file);
    if (text === undefined) {
      throw new EngineError("USAGE", `Cannot migrate "${file}": it cannot be read`, {
        fix: "Correct its path, which starts at the project directory",
      });
    }
    migrated.push(await convert(kind, { file, text, alone: files.length === 1 }, project));
  }
  const text = composeDappfile(migrated, project.name);
  return { text, files, remarks: migrated.flatMap(({ remarks }) => remarks) };
}

/** The kind that was probably meant by a misspelt one, by what it is called elsewhere, or by one of its files. */
function kindMeant(written: string): string | undefined {
  const kinds = new Map(
    Object.entries(migrations).flatMap(([kind, files]) => [kind, ...files].map((name) => [name, kind])),
  );
  const kind = kinds.get(written) ?? kinds.get(suggest(written, kinds.keys()) ?? "");
  return kind !== undefined && kinds.has(written) ? `${kind} ${written}` : kind;
}

interface Given {
  readonly file: string;
  readonly text: string;
  /** It is the only one. */
  readonly alone: boolean;
}

async function convert(
  kind: string,
  { file, text, alone }: Given,
  project: MigratedProject,
): Promise<Migrated> {
  if (kind === "dockerfile") {
    const dir = directoryOf(file);
    const ignore = await project.read(`${file}.dockerignore`) ??
      await project.read(dir === "" ? ".dockerignore" : `${dir}/.dockerignore`);
    return await migrateDockerfile({
      file,
      text,
      image: alone ? "app" : imageName(file),
      context: { dir, kindOf: (path) => kindOf(path, project), ...(ignore !== undefined && { ignore }) },
    });
  }
  if (kind === "compose") return migrateCompose(file, text);
  if (kind === "bake") return migrateBake(file, text);
  const yaml = /\.ya?ml$/.test(file);
  return yaml || kind === "werf" ? migrateWerf(file, text) : migrateRuby(file, text);
}

/** What a path of the project is; git knows no empty directories. */
async function kindOf(path: string, { list }: MigratedProject): Promise<"file" | "directory" | undefined> {
  if ((await list(path)).length > 0) return "directory";
  const names = await list(directoryOf(path));
  return names.includes(path.split("/").at(-1)!) ? "file" : undefined;
}

/** `services/web/Dockerfile` is web, `Dockerfile.worker` worker. */
function imageName(file: string): string {
  const [base = "", dir] = file.split("/").toReversed();
  const own = /^(?:Dockerfile|Containerfile)[.-](.+)$/i.exec(base)?.[1] ??
    /^(.+)\.(?:Dockerfile|Containerfile)$/i.exec(base)?.[1];
  return (own ?? dir ?? "app").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
