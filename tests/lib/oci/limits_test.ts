import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Archive } from "../../../lib/oci/archive.ts";
import { findDockerImage } from "../../../lib/oci/docker_archive.ts";
import { findImage } from "../../../lib/oci/find_image.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { withTempDir } from "../../support/tmp.ts";
import { sha256 } from "../../support/made_image.ts";
import { archive, member } from "../tar/support.ts";
import type { Digest } from "../../../lib/oci/digest.ts";

const { signal } = new AbortController();
const platform = { os: "linux", architecture: "amd64" };
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

Deno.test("findImage() gives up on indexes that multiply", async () => {
  const documents = new Map<string, Uint8Array>();
  const put = (mediaType: string, value: unknown) => {
    const bytes = json(value);
    const digest = sha256(bytes);
    documents.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = put(mediaTypes.config, { os: "plan9", architecture: "mips", rootfs: { diff_ids: [] } });
  let entry = put(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [],
  });
  for (let depth = 0; depth < 4; depth++) {
    const manifests = Array.from({ length: 2000 }, () => entry);
    entry = put(mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests });
  }
  let reads = 0;
  const read = ({ digest }: { digest: Digest }) => {
    reads++;
    return Promise.resolve(documents.get(digest)!);
  };
  const root = { digest: entry.digest, bytes: documents.get(entry.digest)! };
  await rejects(findImage(root, { platform, title: "img", reader: { manifest: read, config: read } }), {
    name: "OciError",
    message: /"img" for linux\/amd64: none of the first 1000/,
  });
  ok(reads < 2100, `${reads}`);
});

Deno.test("Archive gives documents that it had no room to keep", async () => {
  await withTempDir(async (dir) => {
    const rows = [];
    const members = [];
    for (let i = 0; i < 12; i++) {
      const config = { ...platform, author: `${i}`.padEnd(3_500_000, "x"), rootfs: { diff_ids: [] } };
      members.push(member(`c${i}.json`, {}, json(config)));
      rows.push({ Config: `c${i}.json`, RepoTags: [`img:${i}`], Layers: [] });
    }
    members.push(member("manifest.json", {}, json(rows)));
    await Deno.writeFile(`${dir}/a.tar`, archive(members));
    const opened = await Archive.open(`${dir}/a.tar`, "a.tar", signal);
    const kept = [...opened.members.values()].reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    ok(kept <= 32 << 20, `${kept}`);
    for (const i of [0, 5, 11]) {
      const { config } = await findDockerImage(opened, { tag: `img:${i}` }, platform);
      strictEqual(config.author?.trimEnd().replaceAll("x", ""), `${i}`);
    }
  });
});

Deno.test("findDockerImage() reads a configuration once, however many images name it", async () => {
  await withTempDir(async (dir) => {
    const rows = Array.from(
      { length: 20_000 },
      (_, i) => ({ Config: "c.json", RepoTags: [`img:${i}`], Layers: [] }),
    );
    const config = { ...platform, author: "x".repeat(1 << 20), rootfs: { diff_ids: [] } };
    const members = [member("c.json", {}, json(config)), member("manifest.json", {}, json(rows))];
    await Deno.writeFile(`${dir}/a.tar`, archive(members));
    const opened = await Archive.open(`${dir}/a.tar`, "a.tar", signal);
    deepStrictEqual((await findDockerImage(opened, { tag: "img:19999" }, platform)).layers, []);
    await rejects(
      findDockerImage(opened, { tag: "other" }, platform),
      (error: Error) => error.message.length < 1000,
    );
  });
});
