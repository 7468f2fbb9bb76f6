/** Stores whose plugins run apart: the suite, and those that are broken or mean harm. */
import assert from "node:assert/strict";
import type { Store } from "../../plugin.ts";
import { definePlugin, digestOf } from "../../plugin.ts";
import { createTestHost, openPlugin, storeConformance } from "../../testing/mod.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import storeWrapped from "../support/apart/store_wrapped.ts";
import { withProject } from "../support/project.ts";

storeConformance("store-local apart", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dapp-store-" });
  const apart = import.meta.resolve("../support/apart/store_wrapped.ts");
  return {
    async open() {
      await using stack = new AsyncDisposableStack();
      const host = stack.use(await createTestHost());
      const options = { dir: `${dir}/store` };
      const opened = stack.use(await openPlugin(storeWrapped, host, { apart, options }));
      const store = (await opened.openStore(`${dir}/home`))!;
      stack.use(store);
      const kept = stack.move();
      return { ...store, [Symbol.asyncDispose]: () => kept.disposeAsync() };
    },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
});

/** A store that has nothing, with these members in place of its own. */
const module = (members: string) =>
  `import { definePlugin, digestHex, digestOf } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "store-hostile",
  api: 1,
  rights: { write: ["kept"] },
  setup: (_, { projectDir }) => ({
    openStore: () => {
      const dir = projectDir + "/kept";
      const blobs = {
        scratch: () => dir + "/scratch",
        path: (digest) => dir + "/" + digestHex(digest).slice(0, 2) + "/" + digestHex(digest),
        size: () => undefined,
        adopt: () => {},
        put: () => { throw new Error("no room") },
        get: () => new Uint8Array(3),
      };
      const stages = {
        whole: () => undefined, record: () => undefined, put: () => {}, history: () => [], addHistory: () => {},
        async *all() {},
      };
      const memo = { get: (_kind, _key, is) => { throw new Error(String(is(7))) }, put: () => {} };
      const locks = { take: () => ({ [Symbol.asyncDispose]: () => {} }), claim: () => {}, claimed: () => new Map() };
      const housekeeping = {
        check: () => ({}), forget: () => {}, sweep: () => {}, directory: () => "/etc", makeRoom: () => 1,
        sections: () => [{ path: 1 }],
      };
      const store = { path: dir, blobs, stages, memo, locks, housekeeping, [Symbol.asyncDispose]: () => {} };
      ${members}
      return store;
    },
  }),
});
`;

const plugin = definePlugin({ name: "store-hostile", api: 1, setup: () => ({}) });
const signal = new AbortController().signal;
const digest = await digestOf("x");
const signature = "1".repeat(64) as Parameters<Store["stages"]["whole"]>[0];

async function withStore(
  members: string,
  ask: (store: Store) => Promise<unknown>,
  timeoutMs?: number,
): Promise<void> {
  await withProject({ "hostile.ts": module(members) }, async ({ dir }) => {
    await using host = await createTestHost();
    await using opened = await openPlugin(plugin, host, {
      apart: fileUrl(`${dir}/hostile.ts`),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    await using store = await opened.openStore("/home");
    await ask(store!);
  });
}

const misbehaviours: Readonly<Record<string, readonly [string, (store: Store) => Promise<unknown>, RegExp]>> =
  {
    "keeps blobs outside of what it may write": [
      'blobs.path = (digest) => "/etc/" + digestHex(digest);',
      () => Promise.resolve(),
      /answered "path" of hook "openStore" .*: "\/etc\/\w+" is not below what it may write$/,
    ],
    "climbs out of it": [
      'blobs.path = (digest) => dir + "/../" + digestHex(digest);',
      () => Promise.resolve(),
      /answered "path" of hook "openStore" .*: it is no absolute path$/,
    ],
    "tells paths that nobody can know": [
      "let at = 0; blobs.path = () => dir + '/' + String.fromCharCode(97 + at++);",
      () => Promise.resolve(),
      /answered "path" of .*: a path is not made of a fixed text and characters of the digest$/,
    ],
    "has a scratch directory elsewhere": [
      'blobs.scratch = () => "/tmp";',
      (store) => store.blobs.scratch(),
      /answered "scratch" of hook "openStore" .*: "\/tmp" is not below what it may write$/,
    ],
    "keeps a directory elsewhere": [
      "",
      (store) => store.housekeeping.directory("git"),
      /answered "directory" of hook "openStore" .*: "\/etc" is not below what it may write$/,
    ],
    "gives another blob": [
      "",
      (store) => store.blobs.get(digest),
      /answered "get" of .*: the digest of what should be blob sha256:\w+ is sha256:\w+$/,
    ],
    "has no room": [
      "",
      (store) => store.blobs.put(new Uint8Array(1)),
      /^Plugin "store-hostile" failed in "put" of hook "openStore": no room$/,
    ],
    "stores something else": [
      'blobs.put = async () => ({ mediaType: "", digest: await digestOf("y"), size: 1 });',
      (store) => store.blobs.put(new TextEncoder().encode("x")),
      /answered "put" of .*: it stored something else$/,
    ],
    "gives what is no record": [
      "stages.whole = () => ({ stage: 'install' });",
      (store) => store.stages.whole(signature),
      /answered "whole" of .*: it is an object, wanted is a record of a stage$/,
    ],
    "checks nothing": [
      "",
      (store) => store.housekeeping.check({ repair: false }),
      /answered "check" of .*: its key "blobs" is missing/,
    ],
    "sweeps without a word": [
      "",
      (store) => store.housekeeping.sweep(),
      /answered "sweep" of .*: it is missing/,
    ],
    "makes room by a number": [
      "",
      (store) => store.housekeeping.makeRoom(),
      /answered "makeRoom" of .*: it is a number, wanted is a boolean$/,
    ],
    "keeps what nobody can name": [
      "",
      (store) => store.housekeeping.sections(),
      /answered "sections" of .*: an entry is no section$/,
    ],
    "gives no lock": [
      "locks.take = () => true;",
      (store) => store.locks.take("x", { timeoutMs: 10, signal }),
      /"take" of hook "openStore"/,
    ],
    "loops when a lock is wanted": [
      "locks.take = () => { for (;;); };",
      (store) => store.locks.take("x", { timeoutMs: 10, signal }),
      /failed in "take" of hook "openStore": it did not answer within 4s$/,
    ],
    "lacks a method": [
      "delete stages.whole;",
      () => Promise.resolve(),
      /^Plugin "store-hostile" answered hook "openStore" .*: its key "whole" is missing, wanted is a function$/,
    ],
    "lacks a part": [
      "delete store.memo;",
      () => Promise.resolve(),
      /^Plugin "store-hostile" failed in hook "openStore": its "memo" is no object$/,
    ],
  };

/** The time for an answer, where one never comes. */
const hangs = ({ source }: RegExp) => /within 4s/.test(source) ? 4000 : undefined;

Deno.test("a store apart that misbehaves gives one error that names the plugin", async (t) => {
  for (const [name, [members, ask, message]] of Object.entries(misbehaviours)) {
    await t.step(
      name,
      () => assert.rejects(withStore(members, ask, hangs(message)), { name: "EngineError", message }),
    );
  }
});

Deno.test("a lock of a store apart may take longer than an answer", async () => {
  const slow = `locks.take = async (_, { onWait }) => {
    onWait("somebody");
    await new Promise((ok) => setTimeout(ok, 9000));
    return { [Symbol.asyncDispose]: () => {} };
  };`;
  await withStore(slow, async (store) => {
    const told: string[] = [];
    const onWait = (holder: string) => void told.push(holder);
    await using _ = await store.locks.take("x", { timeoutMs: 60_000, signal, onWait });
    assert.deepEqual(told, ["somebody"]);
  }, 4000);
});
