/** A directory that machines share tells them one time, that of its file system, whatever their own clocks say. */
import assert from "node:assert/strict";
import { digestOf } from "../../core/contract/plugin.ts";
import { BuildGuard } from "../../core/protocol/build_guard.ts";
import { type Clock, earlier, later } from "../../core/protocol/clock.ts";
import { readLeases, validLeases } from "../../core/protocol/leases.ts";
import { LayoutBackend } from "../../plugins/registry/_layout_backend.ts";
import { withTempDir } from "../support/tmp.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const never = new AbortController().signal;

/** A machine whose clock is `ahead`, with the directory open. */
async function machine(dir: string, ahead: number) {
  const now = () => Date.now() + ahead;
  const backend = await LayoutBackend.open("oci:repo", dir, now);
  const clock: Clock = {
    now,
    sleep: () => Promise.resolve(),
    get clockOffMs() {
      return backend.capabilities.clockOffMs ?? 0;
    },
  };
  return { backend, clock };
}

/** Puts an image there that names no files. */
async function putImage(backend: LayoutBackend, tag: string): Promise<void> {
  const bytes = new TextEncoder().encode('{"os":"linux","architecture":"amd64"}');
  const blob = { digest: await digestOf(bytes), size: bytes.length };
  await backend.upload({ ...blob, source: { bytes } }, { signal: never, report() {} });
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", ...blob };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = { schemaVersion: 2, mediaType, config, layers: [] };
  await backend.putManifest(
    { bytes: new TextEncoder().encode(JSON.stringify(manifest)), mediaType },
    tag,
    never,
  );
}

Deno.test("a directory tells how far a machine's clock is from that of its file system", async () => {
  for (const ahead of [-400 * DAY, -HOUR, 0, HOUR, 400 * DAY]) {
    await withTempDir(async (dir) => {
      const first = await machine(dir, ahead);
      assert.equal(first.backend.capabilities.clockOffMs, undefined, "nothing is written only to ask");
      assert.deepEqual([...Deno.readDirSync(dir)], []);
      await putImage(first.backend, "v1");
      await first.backend[Symbol.asyncDispose]();
      const second = await machine(dir, ahead);
      for (const { backend } of [first, second]) {
        const off = backend.capabilities.clockOffMs!;
        if (ahead === 0) assert.equal(off, 0);
        else assert.ok(Math.abs(off + ahead) < HOUR / 2, `${off} beside ${ahead}`);
      }
      await second.backend[Symbol.asyncDispose]();
    });
  }
});

Deno.test("a lease in a directory counts for a machine whose clock is apart", async () => {
  for (const builder of [-DAY, 0, DAY]) {
    for (const cleaner of [-DAY, 0, DAY]) {
      await withTempDir(async (dir) => {
        const build = await machine(dir, builder);
        await putImage(build.backend, "v1");
        const signature = "a".repeat(64);
        const guard = await BuildGuard.start(build.backend, {
          builder: "b",
          signatures: [signature],
          signal: never,
          ...build,
        });
        const { backend, clock } = await machine(dir, cleaner);
        const leases = await readLeases(backend, never);
        assert.equal(validLeases(leases, earlier(clock.now(), clock), 0).length, 1, `${builder} ${cleaner}`);
        assert.ok(later(clock.now(), clock) >= Date.now() - HOUR / 2);
        await guard.abandon();
        await backend[Symbol.asyncDispose]();
        await build.backend[Symbol.asyncDispose]();
      });
    }
  }
});

Deno.test("a machine whose clock is ahead removes no blobs that others have just written", async () => {
  await withTempDir(async (dir) => {
    const { backend } = await machine(dir, 2 * HOUR);
    await putImage(backend, "v1");
    const bytes = new TextEncoder().encode("of another tool, whose index is still to come");
    const digest = await digestOf(bytes);
    const file = `${dir}/blobs/sha256/${digest.slice(7)}`;
    await Deno.writeFile(file, bytes);
    const top = await backend.head("v1", never);
    assert.equal((await backend.remove({ tag: "v1", digest: top!, alone: true }, never)).outcome, "removed");
    await backend[Symbol.asyncDispose]();
    assert.ok((await Deno.stat(file)).isFile);
  });
});
