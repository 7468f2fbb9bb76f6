import type { PluginKind } from "./kind.ts";

export const builder: PluginKind = {
  prefix: "builder-",
  what: "a builder, which runs the commands of stages",
  named: "plugin",
  command: "dapp dimg build --builder @NAME@",
  module: `/**
 * A builder: --builder @NAME@ runs the commands of stages with the tools of this machine, without a container. They start
 * in an empty directory; what is in it when they end is what the stage adds to the image, from its / on. They see nothing
 * of the image itself: this is for images of what a toolchain here makes, and for dappfiles of people one trusts.
 */
import {
  type Builder,
  type BuildStep,
  definePlugin,
  type Digest,
  digestFromHex,
  EngineError,
  type StepIo,
  type StepResult,
  type Store,
} from "@dapp/dapp/plugin";
import { createHash } from "node:crypto";

export default definePlugin({
  name: "builder-@NAME@",
  api: 1,
  // What these programs do is not held: commands can do all that you can.
  rights: { programs: ["/bin/sh", "tar", "gzip"] },
  setup: () => ({
    // Undefined leaves the run to other builders. "tidy": wanted is who keeps something in the store.
    openBuilder: ({ name, store, tidy }) => name === "@NAME@" && !tidy ? new ToolBuilder(store) : undefined,
  }),
});

class ToolBuilder implements Builder {
  readonly name = "@NAME@";
  /** What "mount", "secrets" and "ssh" of a dappfile may ask for: nothing. */
  readonly mounts = [];
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async run(step: BuildStep, io: StepIo): Promise<StepResult> {
    const dir = await Deno.makeTempDir({ dir: await this.#store.blobs.scratch() });
    const root = dir + "/root";
    await Deno.mkdir(root);
    await runCommands(step, io, root);
    const names = (await Array.fromAsync(Deno.readDir(root))).map(({ name }) => name).sort();
    if (names.length === 0) return {};
    const tar = dir + "/layer.tar";
    await program("tar", [
      ...["--create", "--file", tar, "--format", "gnu", "--sort", "name", "--directory", root],
      // Equal commands give equal bytes: no names and times of this machine.
      ...["--owner", "0", "--group", "0", "--numeric-owner", "--mtime", "@" + step.epoch, "--", ...names],
    ]);
    const diffId = await digestOfFile(tar);
    return { layer: { diffId, blob: compressed(tar, diffId) } };
  }

  shell(): Promise<number> {
    const message = "Cannot run a command in the image: builder @NAME@ runs the commands of stages alone";
    throw new EngineError("BUILDER_UNAVAILABLE", message, { fix: "Use another --builder" });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** One shell for all commands, which stops at the first failure and ends with the run. */
async function runCommands(step: BuildStep, io: StepIo, cwd: string): Promise<void> {
  for (const command of step.commands) io.output("stdout", "$ " + command + "\\n");
  io.signal.throwIfAborted();
  const child = new Deno.Command("/bin/sh", {
    args: ["-ec", step.commands.join("\\n")],
    cwd,
    env: { ...step.env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: io.signal,
  }).spawn();
  const pass = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, name: "stdout" | "stderr") => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) io.output(name, text);
  };
  const [{ code }] = await Promise.all([
    child.status,
    pass(child.stdout, "stdout"),
    pass(child.stderr, "stderr"),
  ]);
  io.signal.throwIfAborted();
  if (code === 0) return;
  throw new EngineError(
    "STAGE_FAILED",
    "Cannot build stage " + step.label + ": its commands ended with status " + code,
  );
}

async function compressed(tar: string, diffId: Digest) {
  await program("gzip", ["--no-name", tar]);
  const file = tar + ".gz";
  const { size } = await Deno.stat(file);
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  return { mediaType, digest: await digestOfFile(file), size, diffId, file };
}

async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of (await Deno.open(path)).readable) hash.update(chunk);
  return digestFromHex(hash.digest("hex"));
}

async function program(name: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args: [...args] }).output();
  if (!success) throw new Error(name + " failed: " + new TextDecoder().decode(stderr));
}
`,
  test: `import { match, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createTestHost, createTestStore, openPlugin } from "@dapp/dapp/testing";
import { type BuildStep, signatureOf } from "@dapp/dapp/plugin";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// A builder that runs commands inside of the image passes builderConformance of the kit, too.

async function run(commands: readonly string[], signal: AbortSignal = new AbortController().signal) {
  await using host = await createTestHost();
  await using store = await createTestStore();
  await using opened = await openPlugin(plugin, host, { apart });
  strictEqual(await opened.openBuilder(store), undefined, "it was not asked for");
  await using builder = await opened.openBuilder(store, { name: "@NAME@" });
  ok(builder);
  let output = "";
  const step: BuildStep = {
    label: "app/install",
    signature: await signatureOf(null, []),
    parents: [],
    commands,
    env: { PATH: "/usr/bin:/bin" },
    mounts: [],
    epoch: 1_000_000_000,
    compression: { kind: "gzip", level: 6 },
  };
  const { layer } = await builder.run(step, { signal, output: (_, text) => void (output += text) });
  const blob = await layer?.blob;
  if (blob && "file" in blob) await store.blobs.adopt(blob.file, blob.digest);
  return { output, digest: blob?.digest, size: blob && await store.blobs.size(blob.digest) };
}

Deno.test("what commands leave is the layer, and equal commands give equal bytes", async () => {
  const commands = ["mkdir -p opt; echo hi > opt/hi", "cat opt/hi"];
  const { output, digest, size } = await run(commands);
  match(output, /^hi$/m);
  ok(size !== undefined && size > 0);
  strictEqual((await run(commands)).digest, digest);
  notStrictEqual((await run(["echo hi > other"])).digest, digest);
});

Deno.test("commands that leave nothing give no layer", async () => {
  strictEqual((await run(["true"])).digest, undefined);
});

Deno.test("a command that fails, and a run that is stopped, end the stage", async () => {
  await rejects(run(["exit 7"]), { code: "STAGE_FAILED", message: /"?app\\/install"?.* status 7/ });
  const reason = new Error("stopped");
  await rejects(run(["echo never"], AbortSignal.abort(reason)), reason);
});
`,
};
