/** Small git projects for tests of the engine. */
import { createEngine, type Engine, type EngineEvent, type EngineOptions } from "../../mod.ts";
import { run } from "./process.ts";
import { withTempDir } from "./tmp.ts";

/** Content of a file; `link` makes a symbolic link, `mode` sets permission bits. */
export type FileSpec = string | Uint8Array | { readonly link: string } | {
  readonly text: string;
  readonly mode: number;
};

/** A git work tree with a store of its own. */
export interface TestProject {
  readonly dir: string;
  readonly home: string;
  /** Events of all engines, in order. */
  readonly events: EngineEvent[];
  write(files: Readonly<Record<string, FileSpec>>): Promise<void>;
  remove(...paths: string[]): Promise<void>;
  git(...args: string[]): Promise<string>;
  /** Adds everything and commits. */
  commit(message?: string): Promise<void>;
  engine(options?: EngineOptions): Engine;
}

const identity = {
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
};

/** Writes files below `dir`, with the directories they need. */
export async function writeFiles(dir: string, files: Readonly<Record<string, FileSpec>>): Promise<void> {
  for (const [path, spec] of Object.entries(files)) {
    const full = `${dir}/${path}`;
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    if (typeof spec === "string") await Deno.writeTextFile(full, spec);
    else if (spec instanceof Uint8Array) await Deno.writeFile(full, spec);
    else if ("link" in spec) await Deno.symlink(spec.link, full);
    else {
      await Deno.writeTextFile(full, spec.text);
      await Deno.chmod(full, spec.mode);
    }
  }
}

/** Makes a repository with the files committed, calls `body`, removes everything. */
export async function withProject(
  files: Readonly<Record<string, FileSpec>>,
  body: (project: TestProject) => Promise<void>,
): Promise<void> {
  await withTempDir(async (root) => await body(await startProject(root, files)));
}

/** A project below a directory, with the files committed. */
export async function startProject(
  root: string,
  files: Readonly<Record<string, FileSpec>>,
): Promise<TestProject> {
  const project = openProject(`${root}/project`, `${root}/home`);
  await Deno.mkdir(project.dir, { recursive: true });
  await project.git("init", "-q", "-b", "main");
  await project.write(files);
  await project.commit("first");
  return project;
}

/** A project in a directory that is there already. */
export function openProject(dir: string, home: string): TestProject {
  const events: EngineEvent[] = [];
  const git = async (...args: string[]) =>
    (await run(["git", "-C", dir, ...args], { env: identity })).stdout.trim();
  return {
    dir,
    home,
    events,
    git,
    write: (files) => writeFiles(dir, files),
    async remove(...paths) {
      for (const path of paths) await Deno.remove(`${dir}/${path}`, { recursive: true });
    },
    async commit(message = "change") {
      await git("add", "-A");
      await git("commit", "-q", "--allow-empty", "-m", message);
    },
    engine: (options) => createEngine({ dir, home, onEvent: (event) => events.push(event), ...options }),
  };
}

/** Stages that were built, as `image/stage`, and empties the list of events. */
export function takeBuilt(project: TestProject): string[] {
  return project.events.splice(0).flatMap((e) =>
    e.type === "stage.finished" ? [`${e.at.image}/${e.at.stage}`] : []
  );
}
