/** Builders whose plugins run apart: the suite, and those that are broken or mean harm. */
import assert from "node:assert/strict";
import { type Builder, type BuildStep, definePlugin, signatureOf } from "../../plugin.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import { withProject } from "../support/project.ts";
import { builderConformance, createTestHost, createTestStore, openPlugin } from "../../testing/mod.ts";
import builderWrapped from "../support/apart/builder_wrapped.ts";
import { nativeFixture } from "./native_fixture.ts";

builderConformance("native apart", () => {
  const apart = import.meta.resolve("../support/apart/builder_wrapped.ts");
  const options = {
    programs: [
      Deno.execPath(),
      "unshare",
      "slirp4netns",
      "newuidmap",
      "newgidmap",
      "ip",
      "setpriv",
      "nsenter",
    ],
    ids: [Deno.uid()!, Deno.gid()!] as [number, number],
  };
  return nativeFixture((host) => openPlugin(builderWrapped, host, { apart, options }));
});

/** A builder that adds one file, with these members in place of its own. */
const module = (members: string) =>
  `import { definePlugin, digestOf } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "builder-hostile",
  api: 1,
  setup: () => ({
    openBuilder: ({ store, onLayer }) => {
      const { blobs } = store;
      const write = async (bytes) => {
        const file = await blobs.scratch() + "/" + crypto.randomUUID();
        await Deno.writeFile(file, bytes);
        return file;
      };
      // Two blocks of zeros end a tar.
      const tar = new Uint8Array(1024);
      const make = async (bytes = tar) => {
        const digest = await digestOf(bytes);
        const mediaType = "application/vnd.oci.image.layer.v1.tar";
        const file = await write(bytes);
        return { mediaType, digest, size: bytes.length, diffId: digest, file };
      };
      const builder = {
        name: "hostile",
        run: async (step, io) => {
          io.output("stdout", "hi");
          io.ran();
          return { layer: { diffId: await digestOf(tar), blob: make() } };
        },
        shell: () => 0,
        [Symbol.asyncDispose]: () => {},
      };
      ${members}
      return builder;
    },
  }),
});
`;

const plugin = definePlugin({ name: "builder-hostile", api: 1, setup: () => ({}) });
const signal = new AbortController().signal;

const step: BuildStep = {
  label: "app/install",
  signature: await signatureOf(null, []),
  parents: [],
  commands: ["true"],
  env: {},
  secretEnv: { TOKEN: "token" },
  mounts: [{ kind: "secret", id: "token", target: "/run/token" }],
  epoch: 0,
  compression: { kind: "gzip", level: 6 },
};

interface Ran {
  readonly output: string;
  readonly size?: number | undefined;
}

async function withBuilder<T>(
  members: string,
  work: (builder: Builder) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  let answer: T;
  await withProject({ "hostile.ts": module(members) }, async ({ dir }) => {
    await using host = await createTestHost();
    await using store = await createTestStore();
    await using opened = await openPlugin(plugin, host, {
      apart: fileUrl(`${dir}/hostile.ts`),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    await using builder = await opened.openBuilder(store);
    answer = await work(builder!);
  });
  return answer!;
}

async function runOnce(builder: Builder): Promise<Ran> {
  let output = "";
  const { layer } = await builder.run(step, {
    signal,
    output: (_, text) => void (output += text),
    secret: () => new TextEncoder().encode("abc"),
  });
  const blob = await layer?.blob;
  return { output, size: blob?.size };
}

const run = (builder: Builder): Promise<unknown> => runOnce(builder);

const misbehaviours: Readonly<
  Record<string, readonly [string, (builder: Builder) => Promise<unknown>, RegExp]>
> = {
  "loops in a step": [
    "builder.run = () => { for (;;); };",
    run,
    /^Plugin "builder-hostile" failed in "run" of hook "openBuilder": it did not answer within 4s$/,
  ],
  "throws": [
    "builder.run = () => { throw new Error('boom'); };",
    run,
    /failed in "run" of hook "openBuilder": boom$/,
  ],
  "answers nonsense": [
    "builder.run = () => ({ layers: [] });",
    run,
    /answered "run" of hook "openBuilder" .*: its key "layers" is unknown/,
  ],
  "makes a layer of another digest": [
    "builder.run = async () => ({ layer: { diffId: await digestOf(tar), blob: make().then((made) => ({ ...made, digest: '" +
    "sha256:" + "0".repeat(64) + "' })) } });",
    run,
    /answered "run" of .*: the digest of what should be blob sha256:0+ is sha256:\w+$/,
  ],
  "makes a layer of another content": [
    "builder.run = async () => { const diffId = await digestOf('x'); return { layer: { diffId, blob: make().then((made) => ({ ...made, diffId })) } }; };",
    run,
    /answered "run" of .*: the content of layer sha256:\w+ is sha256:\w+$/,
  ],
  "hands over a file of the machine": [
    "builder.run = async () => ({ layer: { diffId: await digestOf(tar), blob: make().then((made) => ({ ...made, file: '/etc/hostname' })) } });",
    run,
    /answered "run" of .*: blob sha256:\w+ is not where it was to be written$/,
  ],
  "fails to compress": [
    "builder.run = async () => ({ layer: { diffId: await digestOf(tar), blob: Promise.reject(new Error('no gzip')) } });",
    run,
    /^Plugin "builder-hostile" failed in "take" of hook "openBuilder": no gzip$/,
  ],
  "dies in a step": [
    "builder.run = () => Deno.exit(5);",
    run,
    /failed in "run" of hook "openBuilder": its process ended with exit code 5$/,
  ],
  "starts what it did not declare": [
    "builder.run = () => new Deno.Command('true').output();",
    run,
    /failed in "run" of hook "openBuilder": it may not have run access to "true"$/,
  ],
  "reads a secret that is not the step's": [
    "builder.run = (_, io) => io.secret('other');",
    run,
    /failed in "run" of hook "openBuilder": the step has no "other"$/,
  ],
  "mounts what there is not": [
    "builder.mounts = ['all'];",
    () => Promise.resolve(),
    /answered "mounts" of hook "openBuilder" .*: its key "0" is a string, wanted is "host" or/,
  ],
  "runs nowhere": [
    "builder.place = () => 7;",
    (builder) => builder.place!(step),
    /answered "place" of .*: it is a number, wanted is an object$/,
  ],
  "opens a shell": [
    "",
    (builder) => builder.shell({ ...step, argv: ["sh"], cwd: "/", user: "" }, signal),
    /^Cannot open a shell with builder "hostile": plugin "builder-hostile" runs apart and has no terminal$/,
  ],
};

Deno.test("a builder apart that misbehaves gives one error that names the plugin", async (t) => {
  for (const [name, [members, work, message]] of Object.entries(misbehaviours)) {
    const timeoutMs = /within 4s/.test(message.source) ? 4000 : undefined;
    await t.step(
      name,
      () => assert.rejects(withBuilder(members, work, timeoutMs), { name: "EngineError", message }),
    );
  }
});

Deno.test("a builder apart gets secrets of its step, and its layer comes whole", async () => {
  const told = `const { run } = builder;
    builder.run = async (step, io) => {
      io.output("stderr", new TextDecoder().decode(io.secret("token")) + String(onLayer) + step.parents.length);
      return await run(step, io);
    };`;
  assert.deepEqual(await withBuilder(told, runOnce), { output: "abcundefined0hi", size: 1024 });
});

Deno.test("a builder apart may print a log as a whole, line by line", async () => {
  const lines = 150_000;
  const members = `const own = builder.run;
    builder.run = (step, io) => {
      for (let i = 0; i < ${lines}; i++) io.output("stdout", i + "\\n");
      return own(step, io);
    };`;
  const { output } = await withBuilder(members, runOnce);
  assert.equal(output.split("\n").length, lines + 1);
});

Deno.test("a step of a builder apart may take longer than an answer", async () => {
  const slow = `const { run } = builder;
    builder.run = async (...args) => {
      await new Promise((ok) => setTimeout(ok, 9000));
      return await run(...args);
    };`;
  assert.deepEqual(await withBuilder(slow, runOnce, 4000), { output: "hi", size: 1024 });
});

Deno.test("a builder apart tells how much it can do at once", async () => {
  const first = Promise.withResolvers<number>();
  const counted = "builder.watchCapacity = (changed) => { changed(-1); changed(3); };";
  const steps = await withBuilder(counted, async (builder) => {
    builder.watchCapacity!((steps) => first.resolve(steps));
    return await first.promise;
  });
  assert.equal(steps, 3);
});

/** Aborts a step when it says so; answers with what it said until its end was known. */
async function abortOnce(builder: Builder): Promise<string> {
  const controller = new AbortController();
  let output = "";
  const running = builder.run(step, {
    signal: controller.signal,
    output(_, text) {
      output += text;
      if (text === "begun ") controller.abort(new Error("it is enough"));
    },
    secret: () => new TextEncoder().encode("abc"),
  });
  await assert.rejects(running, { message: "it is enough" });
  return output;
}

Deno.test("an aborted step of a builder apart has let go of what it holds when its end is told", async () => {
  const slow = `builder.run = async (_, io) => {
      io.output("stdout", "begun ");
      await new Promise((ok) => io.signal.addEventListener("abort", ok));
      await new Promise((ok) => setTimeout(ok, 300));
      io.output("stdout", "ended");
      throw new Error("stopped");
    };`;
  assert.equal(await withBuilder(slow, abortOnce), "begun ended");
});

Deno.test("a builder apart that does not stop an aborted step is not waited for without an end", async () => {
  const deaf = `builder.run = (_, io) => { io.output("stdout", "begun "); return new Promise(() => {}); };`;
  assert.equal(await withBuilder(deaf, abortOnce, 4000), "begun ");
});
