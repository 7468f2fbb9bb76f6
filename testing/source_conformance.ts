/** What every source of base images must do. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { digestFromHex, type ImageSource, type OciPlatform, type Plugin, type Store } from "../plugin.ts";
import { openLayer } from "../lib/layer/open.ts";
import { LocalStore } from "../plugins/store/local/store.ts";
import { createTestHost, type TestHost } from "./host.ts";
import { openPlugin } from "./open_plugin.ts";

/** A source with an image that it provides; disposing of it stops everything behind it. */
export interface SourceSubject extends AsyncDisposable {
  /** The source. */
  readonly plugin: Plugin<never>;
  /** As a dappfile writes them. */
  readonly options?: unknown;
  /** URL of its module: it runs as dapp runs it, as with {@linkcode openPlugin}. */
  readonly apart?: string;
  /** The text after `from:`. */
  readonly name: string;
  /** A name that it claims although nothing is there. Absent when there is none. */
  readonly missing?: string;
  /** A name that is not for it. Absent when it claims all. */
  readonly foreign?: string;
  /** What the image is for. @default linux/amd64 */
  readonly platform?: OciPlatform;
}

/**
 * Registers a test with a step for each rule: names of others are left alone; a name leads to the same image each time,
 * and to the pinned one when there is a pin; all layers come into the store, and hold what the image says; what is not
 * there, and a run that is stopped, are told as they are.
 */
export function sourceConformance(name: string, make: () => Promise<SourceSubject>): void {
  Deno.test(`${name}: conformance of a source of base images`, async (t) => {
    await using subject = await make();
    await using host = await createTestHost();
    await using store = await LocalStore.open(`${host.projectDir}/store`);
    const { foreign, missing } = subject;
    const { signal } = new AbortController();
    const io = { signal, note() {}, progress() {} };
    const using = <T>(text: string, body: (source: ImageSource | undefined) => Promise<T>) =>
      withSource({ ...subject, name: text }, { host, store }, body);
    const own = <T>(body: (source: ImageSource) => Promise<T>) =>
      using(subject.name, async (source) => {
        ok(source, `it does not claim "${subject.name}"`);
        return await body(source);
      });

    if (foreign !== undefined) {
      await t.step("names of others are left alone", () =>
        using(foreign, async (source) => {
          strictEqual(await source, undefined);
        }));
    }

    await t.step("a name leads to the same image each time, and so does the pin", async () => {
      const first = await own((source) => source.resolve(undefined, signal));
      deepStrictEqual(await own((source) => source.resolve(undefined, signal)), first);
      if (first.pin !== undefined) {
        const pinned = await own((source) => source.resolve(first.pin, signal));
        strictEqual(pinned.id, first.id);
      }
    });

    await t.step("layers come into the store, and hold what the image says", () =>
      own(async (source) => {
        const { config, layers } = await source.fetch(await source.resolve(undefined, signal), io);
        deepStrictEqual(layers.map(({ diffId }) => diffId), config.rootfs.diff_ids);
        for (const { digest, size, diffId } of layers) {
          strictEqual(await store.blobs.size(digest), size, `layer ${digest} is not in the store`);
          const path = store.blobs.path(digest);
          strictEqual(
            digestFromHex(createHash("sha256").update(await Deno.readFile(path)).digest("hex")),
            digest,
          );
          const content = createHash("sha256");
          for await (const chunk of openLayer(path)) content.update(chunk);
          strictEqual(digestFromHex(content.digest("hex")), diffId);
        }
      }));

    if (missing !== undefined) {
      await t.step("what is not there is an error for people", () =>
        using(missing, async (source) => {
          ok(source, `it does not claim "${missing}"`);
          await rejects(async () => await source.resolve(undefined, signal), { name: "EngineError" });
        }));
    }
  });
}

interface Place {
  readonly host: TestHost;
  readonly store: Store;
}

async function withSource<T>(
  { plugin, options, apart, name, platform }: SourceSubject,
  { host, store }: Place,
  body: (source: ImageSource | undefined) => Promise<T>,
): Promise<T> {
  await using opened = await openPlugin(plugin, host, {
    options,
    ...(apart && { apart }),
  });
  const source = await opened.openSource(name, store, platform);
  try {
    return await body(source);
  } finally {
    await source?.[Symbol.asyncDispose]();
  }
}
