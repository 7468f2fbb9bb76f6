import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { sourceArchive } from "../../plugins/source/archive.ts";
import { sourceOci } from "../../plugins/source/oci_layout.ts";
import { busyboxBase } from "../support/bases.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { useSource } from "./sources.ts";

Deno.test("source-archive reads OCI archives, plain and compressed", async (t) => {
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    const layout = await useSource(sourceOci, `oci:${base}`, { dir });
    await run(["rm", "-rf", `${dir}/store`]);
    await run(["tar", "-cf", `${dir}/a.tar`, "-C", base, "."]);
    await run(["gzip", "-k", `${dir}/a.tar`]);
    for (
      const name of [
        "archive:a.tar",
        "archive:a.tar.gz:latest",
        `archive:${dir}/a.tar@${layout?.resolved.id}`,
      ]
    ) {
      await t.step(name, async () => {
        const found = await useSource(sourceArchive, name, { dir });
        deepStrictEqual(found?.state, layout?.state);
        strictEqual(found?.resolved.id, layout?.resolved.id);
      });
    }
    await t.step("an unchanged file is not read again", async () => {
      const found = await useSource(sourceArchive, "archive:a.tar", { dir });
      strictEqual(found?.progress.size, 0);
    });
    await t.step("an absent tag or file", async () => {
      await rejects(useSource(sourceArchive, "archive:a.tar:x", { dir }), {
        message: /has latest, wanted is "x"/,
      });
      await rejects(useSource(sourceArchive, "archive:b.tar", { dir }), { code: "SOURCE_NOT_FOUND" });
    });
    await t.step("a file that is no image, or cut short", async () => {
      await Deno.writeTextFile(`${dir}/text`, "x".repeat(600));
      await rejects(useSource(sourceArchive, "archive:text", { dir }), {
        code: "SOURCE_INVALID",
        message: /checksum/,
      });
      await run(["tar", "-cf", `${dir}/other.tar`, "-C", dir, "text"]);
      await rejects(useSource(sourceArchive, "archive:other.tar", { dir }), { message: /no image archive/ });
      await Deno.writeFile(`${dir}/cut.tar.gz`, (await Deno.readFile(`${dir}/a.tar.gz`)).subarray(0, 5000));
      await rejects(useSource(sourceArchive, "archive:cut.tar.gz", { dir }), { code: "SOURCE_INVALID" });
    });
  });
});

Deno.test("layers of an archive are told as done when they are what the image says, and else not kept", async () => {
  await withTempDir(async (dir) => {
    await run(["cp", "-r", await busyboxBase(), `${dir}/layout`]);
    await run(["tar", "-cf", `${dir}/good.tar`, "-C", `${dir}/layout`, "."]);
    const told: boolean[] = [];
    const onProgress = (done: number, total: number) => told.push(done === total);
    const good = await useSource(sourceArchive, "archive:good.tar", { dir, onProgress });
    deepStrictEqual([told.pop(), told.includes(true)], [true, false]);
    const [layer] = good!.state.layers;
    const file = `${dir}/layout/blobs/sha256/${layer!.digest.slice(7)}`;
    const bytes = await Deno.readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await Deno.remove(file);
    await Deno.writeFile(file, bytes);
    await run(["tar", "-cf", `${dir}/bad.tar`, "-C", `${dir}/layout`, "."]);
    await run(["rm", "-rf", `${dir}/store`]);
    told.length = 0;
    await rejects(useSource(sourceArchive, "archive:bad.tar", { dir, onProgress }), {
      code: "SOURCE_INVALID",
      message: /content of blob .* differs/,
    });
    strictEqual(told.includes(true), false);
    const kept = await Array.fromAsync(Deno.readDir(`${dir}/store/blobs/sha256`)).catch(() => []);
    deepStrictEqual(kept, []);
  });
});

Deno.test("source-archive reads what skopeo writes for Docker", async (t) => {
  const skopeo = await peer("skopeo");
  if (!skopeo) return;
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    await run([skopeo, "copy", "-q", `oci:${base}:latest`, `docker-archive:${dir}/d.tar:tools/busybox:1`]);
    const found = await useSource(sourceArchive, "archive:d.tar", { dir });
    ok(found);
    const [layer] = found.state.layers;
    strictEqual(layer?.digest, layer?.diffId);
    strictEqual(found.state.config.rootfs.diff_ids[0], layer?.diffId);
    await t.step("the id is the config's digest, the pin finds it again", async () => {
      strictEqual(found.resolved.id, found.resolved.pin);
      const again = await useSource(sourceArchive, "archive:d.tar:tools/busybox:1", {
        dir,
        pin: found.resolved.id,
      });
      deepStrictEqual(again?.resolved, found.resolved);
      deepStrictEqual(
        (await useSource(sourceArchive, `archive:d.tar@${found.resolved.id}`, { dir }))?.resolved,
        {
          id: found.resolved.id,
        },
      );
    });
    await t.step("other names and platforms", async () => {
      await rejects(useSource(sourceArchive, "archive:d.tar:other", { dir }), {
        message: /has (.*)tools\/busybox:1/,
      });
      const platform = { os: "linux", architecture: "s390x" };
      await rejects(useSource(sourceArchive, "archive:d.tar", { dir, platform }), {
        message: /wanted is linux\/s390x/,
      });
    });
    await t.step("layers that are links, as old Dockers wrote them", async () => {
      await Deno.mkdir(`${dir}/x`);
      await run(["tar", "-xf", `${dir}/d.tar`, "-C", `${dir}/x`]);
      const [row] = JSON.parse(await Deno.readTextFile(`${dir}/x/manifest.json`));
      await Deno.mkdir(`${dir}/x/l`);
      await Deno.symlink(`../${row.Layers[0]}`, `${dir}/x/l/layer.tar`);
      await run(["chmod", "-R", "u+w", `${dir}/x`]); // skopeo's files are read-only
      await Deno.writeTextFile(
        `${dir}/x/manifest.json`,
        JSON.stringify([{ ...row, Layers: ["l/layer.tar"] }]),
      );
      await run(["tar", "-cf", `${dir}/links.tar`, "-C", `${dir}/x`, "."]);
      await run(["rm", "-rf", `${dir}/store`]);
      deepStrictEqual(
        (await useSource(sourceArchive, "archive:links.tar", { dir }))?.state.layers,
        found.state.layers,
      );
    });
    await t.step("a layer with other content", async () => {
      const [row] = JSON.parse(await Deno.readTextFile(`${dir}/x/manifest.json`));
      await Deno.remove(`${dir}/x/${row.Layers[0]}`);
      await Deno.writeTextFile(`${dir}/x/${row.Layers[0]}`, "other");
      await run(["tar", "-cf", `${dir}/bad.tar`, "-C", `${dir}/x`, "."]);
      await run(["rm", "-rf", `${dir}/store`]);
      await rejects(useSource(sourceArchive, "archive:bad.tar", { dir }), {
        code: "SOURCE_INVALID",
        message: /is not sha256/,
      });
    });
  });
});
