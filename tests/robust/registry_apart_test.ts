/** Registries of plugins that run apart and are broken, or mean harm: one error that names the plugin, nothing left. */
import assert from "node:assert/strict";
import type { OutgoingBlob, RegistryBackend, TransferIo } from "../../plugin.ts";
import { definePlugin, digestOf, EngineError } from "../../plugin.ts";
import { createTestHost, openPlugin } from "../../testing/mod.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const bytes = new TextEncoder().encode("a blob of the test".repeat(1000));
const digest = await digestOf(bytes);
const blob = { digest, size: bytes.length };
const { signal } = new AbortController();
const io: TransferIo = { signal, report() {} };

/** A registry of one blob, with these members in place of its own. */
const module = (members: string) =>
  `import { definePlugin, EngineError } from "@dapp/dapp/plugin";
const text = "a blob of the test".repeat(1000);
const bytes = new TextEncoder().encode(text);
export default definePlugin({
  name: "registry-hostile",
  api: 1,
  setup: (_, host) => ({
    openRegistry: (request, ctx) => {
      const repository = {
        name: request.repo,
        head: () => undefined,
        manifest: () => undefined,
        blob: () => bytes,
        download: (_, file) => Deno.writeFile(file, bytes, { createNew: true }),
        upload: () => "uploaded",
        putManifest: () => {},
        async *tags() { yield { tag: "a" }; },
        remove: () => ({ outcome: "absent" }),
      };
      const backend = {
        kind: "hostile",
        capabilities: { naming: "flat", nested: false, deletion: "tag", listing: "names", pulls: false },
        repository: () => repository,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      ${members}
      return backend;
    },
  }),
});
`;

const plugin = definePlugin({ name: "registry-hostile", api: 1, setup: () => ({}) });

interface Place {
  readonly backend: RegistryBackend;
  readonly dir: string;
  readonly notes: () => readonly string[];
}

/** Asks a registry with these members for something; what it leaves in the directory for files is looked at after it. */
async function withRegistry(members: string, ask: (place: Place) => Promise<unknown>, timeoutMs?: number) {
  await withProject({ "hostile.ts": module(members) }, async ({ dir }) => {
    await withTempDir(async (tmp) => {
      await using host = await createTestHost({ env: { TMPDIR: tmp } });
      {
        await using opened = await openPlugin(plugin, host, {
          apart: fileUrl(`${dir}/hostile.ts`),
          ...(timeoutMs !== undefined && { timeoutMs }),
        });
        const backend = await opened.openRegistry("hostile:x");
        assert.ok(backend);
        const notes = () => opened.events.flatMap((event) => event.type === "note" ? [event.text] : []);
        await ask({ backend, dir: host.projectDir, notes });
      }
      assert.deepEqual(await Array.fromAsync(Deno.readDir(tmp)), []);
    });
  });
}

const download = ({ backend, dir }: Place) => backend.repository("").download(blob, `${dir}/copy`, io);
const upload = async ({ backend, dir }: Place, more: Partial<OutgoingBlob> = {}) => {
  await Deno.writeFile(`${dir}/source`, bytes);
  return await backend.repository("").upload({ ...blob, source: { file: `${dir}/source` }, ...more }, io);
};

Deno.test("what a registry apart says of its failures is known, each only if it is what it should be", async () => {
  const facts = { missing: true, refused: false, full: true, limited: true, retryAfterMs: 20, command: 3 };
  const wrong = { unusable: "yes", locked: 1, withheld: null, fix: 7, retryAfterMs: -1, plugin: "x" };
  const failing = (details: unknown) =>
    `repository.head = () => { throw new EngineError("REGISTRY_FAILED", "no", ${JSON.stringify(details)}) };`;
  const detailsOf = async (details: unknown) => {
    let found: unknown;
    await withRegistry(failing(details), async ({ backend }) => {
      const error = await backend.repository("").head("v1", signal).then(() => undefined, (error) => error);
      assert.ok(error instanceof EngineError);
      const { plugin, hook, fix: _, cause: __, ...rest } = error.details;
      assert.deepEqual([plugin, hook], ["registry-hostile", "openRegistry"]);
      found = rest;
    });
    return found;
  };
  assert.deepEqual(await detailsOf(facts), facts);
  assert.deepEqual(await detailsOf(wrong), {});
});

/** What is wrong -> what the plugin does, what it is asked for, and what is said. */
const misbehaviours: Readonly<Record<string, readonly [string, (place: Place) => Promise<unknown>, RegExp]>> =
  {
    "hangs in a method": [
      "repository.head = () => new Promise(() => {});",
      ({ backend }) => backend.repository("").head("v1", signal),
      /^Plugin "registry-hostile" failed in "head" of hook "openRegistry": it did not answer within 4s$/,
    ],
    "loops in an upload": [
      "repository.upload = () => { for (;;); };",
      (place) => upload(place),
      /failed in "upload" of hook "openRegistry": it did not answer within 4s$/,
    ],
    "throws": [
      `repository.head = () => { throw new Error("boom"); };`,
      ({ backend }) => backend.repository("").head("v1", signal),
      /^Plugin "registry-hostile" failed in "head" of hook "openRegistry": boom$/,
    ],
    "answers no digest": [
      `repository.head = () => "sha256:0";`,
      ({ backend }) => backend.repository("").head("v1", signal),
      /^Plugin "registry-hostile" answered "head" of hook "openRegistry" .*: it is a string, wanted is a digest$/,
    ],
    "gives another manifest": [
      `repository.manifest = () => ({ digest: ${
        JSON.stringify(digest)
      }, bytes: new Uint8Array(3), mediaType: "a" });`,
      ({ backend }) => backend.repository("").manifest("v1", signal),
      /answered "manifest" of hook "openRegistry" .*: the digest of manifest sha256:\w+ is sha256:\w+$/,
    ],
    "gives more of a manifest than there is": [
      `repository.manifest = () => ({ digest: "x", bytes, mediaType: "a", more: 1 });`,
      ({ backend }) => backend.repository("").manifest("v1", signal),
      /its key "(digest|more)" is/,
    ],
    "gives another blob": [
      "repository.blob = () => bytes.map((byte) => byte + 1);",
      ({ backend }) => backend.repository("").blob(blob, signal),
      /answered "blob" of .*: the digest of what should be blob sha256:\w+ is sha256:\w+$/,
    ],
    "gives a longer blob": [
      "repository.blob = () => new Uint8Array(bytes.length + 1);",
      ({ backend }) => backend.repository("").blob(blob, signal),
      /answered "blob" of .* has 18001 bytes, wanted are 18000$/,
    ],
    "writes another blob": [
      "repository.download = (_, file) => Deno.writeFile(file, bytes.map((byte) => byte + 1));",
      download,
      /answered "download" of .*: the digest of what should be blob sha256:\w+ is sha256:\w+$/,
    ],
    "stops short": [
      "repository.download = (_, file) => Deno.writeFile(file, bytes.subarray(1));",
      download,
      /answered "download" of .* has 17999 bytes, wanted are 18000$/,
    ],
    "writes nothing": [
      "repository.download = () => {};",
      download,
      /answered "download" of .* is not where it was to be written$/,
    ],
    "writes without end": [
      `repository.download = async (_, path) => {
      using file = await Deno.open(path, { write: true, createNew: true });
      for (;;) { await file.write(bytes); await new Promise((ok) => setTimeout(ok, 5)); }
    };`,
      download,
      /failed in "download" of hook "openRegistry": it writes more than the 18000 bytes of blob sha256:\w+$/,
    ],
    "dies in the middle of a pull": [
      "repository.download = async (_, file) => { await Deno.writeFile(file, bytes.subarray(9)); Deno.exit(3); };",
      download,
      /failed in "download" of hook "openRegistry": its process ended with exit code 3$/,
    ],
    "dies in the middle of an upload": [
      "repository.upload = async ({ source }, io) => { io.report((await Deno.stat(source.file)).size); Deno.exit(3); };",
      (place) => upload(place),
      /failed in "upload" of hook "openRegistry": its process ended with exit code 3$/,
    ],
    "says nonsense of an upload": [
      `repository.upload = () => "done";`,
      (place) => upload(place),
      /answered "upload" of hook "openRegistry" .* wanted is "present" or "mounted" or "uploaded"$/,
    ],
    "reports what cannot be": [
      "repository.upload = async (_, io) => { await io.report(-1); return 'uploaded'; };",
      (place) => upload(place),
      /failed in "upload" of .*: what is done is no number of bytes of the blob$/,
    ],
    "changes what it is lent": [
      "repository.upload = async ({ source }) => { await Deno.writeFile(source.file, bytes); return 'uploaded'; };",
      (place) => upload(place),
      /failed in "upload" of .*: it may not have write access to "/,
    ],
    "lists what are no tags": [
      "repository.tags = async function* () { yield { tag: 'a' }; yield { tag: 7 }; };",
      ({ backend }) => Array.fromAsync(backend.repository("").tags(signal)),
      /answered "tags" of hook "openRegistry" .*: its key "tag" is a number, wanted is a text$/,
    ],
    "lists nothing that can be listed": [
      "repository.tags = () => 7;",
      ({ backend }) => Array.fromAsync(backend.repository("").tags(signal)),
      /failed in "tags" of hook "openRegistry": /,
    ],
    "says nonsense of a removal": [
      "repository.remove = () => ({ outcome: 'removed' });",
      ({ backend }) => backend.repository("").remove({ tag: "a", digest, alone: true }, signal),
      /answered "remove" of hook "openRegistry" .*: its key "by" is missing/,
    ],
    "asks for what it did not declare": [
      `repository.head = () => Deno.readTextFile("/etc/hostname");`,
      ({ backend }) => backend.repository("").head("v1", signal),
      /^Plugin "registry-hostile" failed in "head" of hook "openRegistry": it may not have read access to "\/etc\/hostname"$/,
    ],
    "gives a repository another name": [
      "",
      ({ backend }) => backend.repository("app").head("v1", signal),
      /answered "repository" of .*: repository "app" is called "hostile:x", wanted is "hostile:x\/app"$/,
    ],
    "says that the user stopped it": [
      `repository.head = () => { throw new EngineError("INTERRUPTED", "gone"); };`,
      ({ backend }) => backend.repository("").head("v1", signal),
      /^Plugin "registry-hostile" failed in "head" of hook "openRegistry": gone$/,
    ],
  };

Deno.test("a registry apart that misbehaves gives one error that names the plugin, and leaves nothing", async (t) => {
  for (const [name, [members, ask, message]] of Object.entries(misbehaviours)) {
    await t.step(name, () =>
      withRegistry(members, async (place) => {
        const error = await ask(place).then(() => undefined, (error) => error);
        assert.match(error?.message ?? "nothing was wrong", message);
        assert.match(error.code, /^PLUGIN_(FAILED|RESULT_INVALID)$/);
        assert.deepEqual(
          await Array.fromAsync(Deno.readDir(place.dir), ({ name }) => name).then((names) =>
            names.filter((name) => name !== "source")
          ),
          [],
        );
      }, /within 4s/.test(message.source) ? 4000 : undefined));
  }
});

Deno.test("a registry apart that is none cannot be opened", async (t) => {
  const broken: Readonly<Record<string, readonly [string, RegExp]>> = {
    "no capabilities": ["delete backend.capabilities;", /answered "capabilities" of .*: it is missing/],
    "a capability that is none": [
      'backend.capabilities.deletion = "all";',
      /its key "deletion" is a string, wanted is "tag" or "manifest" or "none" or "unknown"$/,
    ],
    "a repository that lists nothing": [
      "delete repository.tags;",
      /answered "repository" of .*: its key "tags" is missing, wanted is a function$/,
    ],
    "a repository without a name": [
      "delete repository.name;",
      /answered "repository" of .*: its "name" is no text$/,
    ],
    "no object": ["return 7;", /answered hook "openRegistry" .*: it is no object with methods$/],
  };
  for (const [name, [members, message]] of Object.entries(broken)) {
    await t.step(
      name,
      () =>
        assert.rejects(withRegistry(members, () => Promise.resolve()), {
          code: "PLUGIN_RESULT_INVALID",
          message,
        }),
    );
  }
});

Deno.test("a slow transfer goes on for as long as it is seen to", async () => {
  // Longer than an answer may take, with words all the while.
  const slow = `repository.upload = async (_, io) => {
    for (let i = 0; i < 40; i++) { await new Promise((ok) => setTimeout(ok, 150)); await io.report(i); }
    return "uploaded";
  };`;
  await withRegistry(slow, async (place) => assert.equal(await upload(place), "uploaded"), 4000);
});

Deno.test("what was handed to a registry is not there once it was let go", async () => {
  const late = `repository.head = async () => {
    await request.memo.get("a", "b", () => true);
  };`;
  await withRegistry(late, async ({ backend }) => {
    const repository = backend.repository("");
    assert.equal(await repository.head("v1", signal), undefined);
    await backend[Symbol.asyncDispose]();
    await assert.rejects(repository.head("v1", signal), {
      code: "PLUGIN_FAILED",
      message: /failed in "head" of hook "openRegistry": there is no "get" to be called$/,
    });
  });
});

Deno.test("an aborted upload ends with the reason, whatever the plugin does", async () => {
  await withRegistry("repository.upload = () => new Promise(() => {});", async ({ backend }) => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const sending = backend.repository("").upload({ ...blob, source: { bytes } }, {
      signal: stop.signal,
      report() {},
    });
    stop.abort(reason);
    await assert.rejects(sending, reason);
  });
});
