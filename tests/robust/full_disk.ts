/** A project, its store and its REPO on a file system that is full when a command runs. */
import assert from "node:assert/strict";
import type { Io } from "../../cli/io.ts";
import { main } from "../../cli/main.ts";
import { createEngine } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { openProject } from "../support/project.ts";
import { mountSmallFs, type Room, type SmallFs } from "../support/small_fs.ts";
import { removeTree } from "../support/tmp.ts";
import { verifyLayout } from "../support/verify_registry.ts";
import { FakeOutput } from "../cli/support.ts";

/** All of the file system. */
const SIZE: Room = { bytes: 64 << 20, inodes: 6000 };

/** What was there when the command ran; copied: pushed, and REPO then copied without the files that are dapp's own. */
export type State = "cloned" | "built" | "pushed" | "copied" | "flushed";

/** A command line, with `M` for the file system. */
export interface FullCase {
  readonly state: State;
  readonly args: readonly string[];
  /** It removes things, and must do so on a disk without any room. */
  readonly removes?: true;
  /** The store is on another file system, which has room. */
  readonly elsewhere?: true;
  /** Tags that are in a layout in the end. */
  readonly tags?: Readonly<Record<string, readonly string[]>>;
}

/** Every command that writes something, or removes it. */
export const CASES: readonly FullCase[] = [
  { state: "cloned", args: ["dimg", "build"] },
  { state: "cloned", args: ["dimg", "bp", "--tag", "v1", "oci:M/repo"], tags: { repo: ["app-v1"] } },
  { state: "cloned", args: ["dimg", "lock"] },
  { state: "cloned", args: ["dimg", "stages", "pull", "oci:M/../source"] },
  { state: "built", args: ["dimg", "build", "--dev"] },
  { state: "built", args: ["dimg", "push", "--tag", "v1", "oci:M/repo"], tags: { repo: ["app-v1"] } },
  { state: "built", args: ["dimg", "stages", "push", "oci:M/repo"] },
  { state: "built", args: ["dimg", "export", "app", "oci:M/out:v1"], tags: { out: ["v1"] } },
  { state: "built", args: ["dimg", "export", "app", "oci-archive:M/out.tar:v1"] },
  { state: "built", args: ["dimg", "export", "app", "docker-archive:M/out.tar:app:v1"] },
  { state: "built", args: ["dimg", "run", "app", "--", "true"] },
  { state: "built", args: ["store", "check"] },
  { state: "built", args: ["dimg", "cleanup"], removes: true },
  { state: "built", args: ["dimg", "stages", "flush", "local", "--yes"], removes: true },
  { state: "built", args: ["dimg", "flush", "local", "--with-stages", "--yes"], removes: true },
  { state: "built", args: ["dimg", "mrproper", "--all", "--yes"], removes: true },
  { state: "built", args: ["store", "check", "--repair"], removes: true },
  {
    state: "pushed",
    args: ["dimg", "push", "--tag", "v3", "oci:M/repo"],
    tags: { repo: ["app-v1", "app-v2", "app-v3"] },
  },
  {
    state: "pushed",
    args: ["dimg", "cleanup", "repo", "--with-stages", "--yes", "oci:M/repo"],
    removes: true,
  },
  { state: "pushed", args: ["dimg", "flush", "repo", "--yes", "oci:M/repo"], removes: true },
  { state: "pushed", args: ["dimg", "flush", "repo", "--with-stages", "--yes", "oci:M/repo"], removes: true },
  { state: "pushed", args: ["dimg", "stages", "flush", "repo", "--yes", "oci:M/repo"], removes: true },
  {
    state: "pushed",
    args: ["dimg", "stages", "cleanup", "local", "--improper-repo-cache", "oci:M/repo"],
    removes: true,
  },
  {
    state: "pushed",
    args: ["dimg", "flush", "repo", "--with-stages", "--yes", "oci:M/repo"],
    removes: true,
    elsewhere: true,
  },
  {
    state: "pushed",
    args: ["dimg", "cleanup", "repo", "--with-stages", "--yes", "oci:M/repo"],
    removes: true,
    elsewhere: true,
  },
  { state: "copied", args: ["dimg", "flush", "repo", "--yes", "oci:M/repo"], removes: true },
  {
    state: "copied",
    args: ["dimg", "flush", "repo", "--yes", "oci:M/repo"],
    removes: true,
    elsewhere: true,
  },
  { state: "pushed", args: ["dimg", "flush", "repo", "--yes", "oci:M/../elsewhere"], removes: true },
  { state: "flushed", args: ["dimg", "restore", "oci:M/repo"], tags: { repo: ["app-v1", "app-v2"] } },
];

/** What a command said. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process. */
export async function dapp(args: readonly string[]): Promise<Outcome> {
  const [stdout, stderr] = [new FakeOutput(), new FakeOutput()];
  const io: Io = {
    stdout,
    stderr,
    clock: { now: () => performance.now(), date: () => Date.now(), after: () => () => {} },
    env: { PATH: Deno.env.get("PATH")!, DAPP_DIMG_CLEANUP_KUBE: "0" },
    signal: new AbortController().signal,
    lendTerminal: () => () => {},
    startSshAgent: () => Promise.reject(new Error("no agent")),
    stdinIsTerminal: false,
    readLine: () => Promise.resolve(undefined),
    readStdin: () => Promise.resolve(""),
    askSecret: () => Promise.resolve(undefined),
    gitAsked: () => undefined,
    createEngine: (options) => Promise.resolve(createEngine(options)),
    readText: (path) => Deno.readTextFile(path).catch(() => undefined),
    realPath: (path) => Deno.realPath(path),
    list: async (dir) => (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name),
    writeText: (path, text) => Deno.writeTextFile(path, text),
    appendText: (path, text) => Deno.writeTextFile(path, text, { append: true }),
  };
  return { code: await main(args, io), stdout: stdout.text, stderr: stderr.text };
}

const dappfile = (base: string) => `
project: shop
cleanup: { defaults: false, keep: [], stages: { grace: 0s } }
---
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out; seq 20000 >/out/numbers"] }
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
mount: [{ from: build_dir, to: /kept }, { from: tmp_dir, to: /scratch }]
shell:
  beforeInstall: ["head -c 1000000 /dev/zero | tr '\\\\0' a >/data; i=0; while [ $i -lt 60 ]; do echo $i >/f$i; i=$((i+1)); done"]
  install: ["rm /f1*; echo x >/kept/log; seq 1000 >/scratch/y"]
  setup: ["cat /app/* | sha256sum >/sum"]
`;

/** States of the project, made once, to be copied for each command. */
export class FullDisk implements AsyncDisposable {
  /** Digest of the image. */
  #image = "";

  private constructor(readonly dir: string, readonly fs: SmallFs, readonly stack: AsyncDisposableStack) {}

  /** Builds and pushes once, with room. */
  static async make(): Promise<FullDisk> {
    await using stack = new AsyncDisposableStack();
    const dir = await Deno.makeTempDir({ prefix: "dapp-full-" });
    stack.defer(() => removeTree(dir));
    const fs = stack.use(await mountSmallFs(SIZE));
    const save = (name: string) => run(["cp", "-a", fs.path, `${dir}/${name}`]);
    const project = openProject(`${fs.path}/project`, `${fs.path}/home`);
    await Deno.mkdir(project.dir);
    await project.git("init", "-q", "-b", "main");
    const sources = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`src/f${i}`, `${i}\n`.repeat(200)]),
    );
    await project.write({ "dappfile.yaml": dappfile(await busyboxBase()), ...sources });
    await project.commit("first");
    await save("cloned");
    const disk = new FullDisk(dir, fs, stack.move());
    disk.#image = await disk.#built();
    await save("built");
    for (const tag of ["v1", "v2"]) await disk.must(["dimg", "push", "--tag", tag, "oci:M/repo"]);
    await disk.must(["dimg", "stages", "push", "oci:M/repo"]);
    await run(["cp", "-a", `${fs.path}/repo`, `${dir}/source`]);
    await save("pushed");
    for (const name of [".dapp-lock", ".dapp-uploads", ".dapp-reserve"]) {
      await Deno.remove(`${fs.path}/repo/${name}`);
    }
    await save("copied");
    await disk.must(["dimg", "flush", "repo", "--yes", "oci:M/repo"]);
    await save("flushed");
    return disk;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }

  /** Digest of the image, after building it. */
  async #built(): Promise<string> {
    await this.must(["dimg", "build"]);
    await this.must(["dimg", "export", "app", "oci:M/exported:app"]);
    const { app } = await verifyLayout(`${this.fs.path}/exported`);
    await Deno.remove(`${this.fs.path}/exported`, { recursive: true });
    return app!;
  }

  command(args: readonly string[], elsewhere = false): readonly string[] {
    const { path } = this.fs;
    const home = elsewhere ? `${this.dir}/home` : `${path}/home`;
    const own = [...args[0] === "store" ? [] : ["--dir", `${path}/project`], "--home", home];
    const words = args.map((arg) => arg.replace("M/../", `${this.dir}/`).replace("M/", `${path}/`));
    const end = words.indexOf("--");
    return end < 0 ? [...words, ...own] : [...words.slice(0, end), ...own, ...words.slice(end)];
  }

  async must(args: readonly string[]): Promise<Outcome> {
    const outcome = await dapp(this.command(args));
    assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
    return outcome;
  }

  /** Puts the file system back into a state. */
  async restore(state: State): Promise<void> {
    await run(["find", this.fs.path, "-mindepth", "1", "-delete"]);
    await run(["cp", "-a", `${this.dir}/${state}/.`, this.fs.path]);
    await run(["rm", "-rf", `${this.dir}/home`, `${this.dir}/elsewhere`]);
    await run(["cp", "-a", `${this.dir}/pushed/home`, `${this.dir}/home`]);
    await run(["cp", "-a", `${this.dir}/source`, `${this.dir}/elsewhere`]);
  }

  /** Runs a command with so much room, looks at what it said and left, and runs it again with more. */
  async check({ state, args, removes, elsewhere, tags = {} }: FullCase, left: Room): Promise<Outcome> {
    const title = `${args.join(" ")} with ${left.bytes} bytes and ${left.inodes} inodes left`;
    const { fs } = this;
    await this.restore(state);
    await fs.fill(left);
    const outcome = await dapp(this.command(args, elsewhere));
    const said = `${title}: exit ${outcome.code}\n${outcome.stdout}${outcome.stderr}`;
    assert.doesNotMatch(outcome.stderr, /^\s+at |bug in dapp|\bError\b:/m, said);
    if (removes) assert.equal(outcome.code, 0, said);
    if (outcome.code !== 0) {
      assert.equal(outcome.code, 1, said);
      const told = outcome.stdout + outcome.stderr; // of several tags each says in its row what became of it
      assert.match(told, new RegExp(`^(error: |failed ).*${fs.path}`, "m"), said);
      assert.match(told, /(^fix: |\()Free space or inodes on the file system of "/m, said);
    }
    await this.#sound(said);
    await fs.free();
    await this.#sound(said);
    await this.must(args);
    await this.#sound(said);
    for (const [name, wanted] of Object.entries(tags)) {
      const found = Object.keys(await verifyLayout(`${fs.path}/${name}`)).filter((tag) =>
        !tag.startsWith("d")
      );
      assert.deepEqual(found, wanted, said);
    }
    assert.equal(await this.#built(), this.#image, said);
    return outcome;
  }

  /** Store and layouts hold what they say. */
  async #sound(said: string): Promise<void> {
    const { path } = this.fs;
    await using engine = createEngine({ dir: `${path}/project`, home: `${path}/home` });
    if (await exists(`${path}/home/format`)) {
      assert.deepEqual((await engine.checkStore()).problems, [], said);
    }
    for (const name of ["repo", "out"]) {
      if (await exists(`${path}/${name}/index.json`)) {
        try {
          await verifyLayout(`${path}/${name}`);
        } catch (error) {
          throw new Error(said, { cause: error });
        }
      }
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
