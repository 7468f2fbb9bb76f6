import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { Digest } from "../../core/contract/plugin.ts";
import { sourceOci } from "../../plugins/source/oci_layout.ts";
import { busyboxBase } from "../support/bases.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { useSource } from "./sources.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

Deno.test("source-oci finds images by tag, by digest and alone, and fetches once", async (t) => {
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    await run(["cp", "-r", base, `${dir}/base`]);
    const use = (name: string, pin?: Digest) => useSource(sourceOci, name, { dir, ...(pin && { pin }) });
    const first = await use("oci:base:latest");
    ok(first);
    const { id } = first.resolved;
    strictEqual(first.state.layers.length, 1);
    strictEqual(first.progress.size, 1);

    await t.step("without a tag, absolute path, second time from the store", async () => {
      const again = await use(`oci:${dir}/base`);
      deepStrictEqual(again?.state, first.state);
      strictEqual(again?.progress.size, 0);
    });
    await t.step("a digest does not move, so there is no pin", async () => {
      deepStrictEqual((await use(`oci:base@${id}`))?.resolved, { id });
    });
    await t.step("a pin decides over the tag", async () => {
      strictEqual((await use("oci:base:gone", id))?.resolved.id, id);
    });
    await t.step(
      "other names are left to others",
      async () => strictEqual(await use("debian:12"), undefined),
    );
    await t.step("an absent tag, layout or pin is named with what there is", async () => {
      await rejects(use("oci:base:gone"), {
        code: "SOURCE_NOT_FOUND",
        message: /has latest, wanted is "gone"/,
      });
      await rejects(use("oci:nowhere"), { code: "SOURCE_NOT_FOUND", message: /no OCI layout is there/ });
      const pin = digestFromHex("0".repeat(64));
      await rejects(use("oci:base", pin), {
        code: "SOURCE_NOT_FOUND",
        message: /it has no blob sha256:0000/,
      });
    });
    await t.step("another platform", async () => {
      const platform = { os: "linux", architecture: "s390x" };
      await rejects(useSource(sourceOci, "oci:base", { dir, platform }), { code: "SOURCE_INVALID" });
    });
    await t.step("damage is found", async () => {
      const { digest } = first.state.layers[0]!;
      await run(["rm", "-rf", `${dir}/store`]);
      await Deno.writeTextFile(`${dir}/base/blobs/sha256/${digest.slice(7)}`, "damaged");
      await rejects(use("oci:base"), { code: "SOURCE_INVALID", message: /it has 7 bytes, wanted are/ });
      await Deno.remove(`${dir}/base/blobs/sha256/${digest.slice(7)}`);
      await rejects(use("oci:base"), { code: "SOURCE_NOT_FOUND", message: /does not hold it/ });
    });
  });
});

Deno.test("source-oci reads layouts that skopeo and umoci wrote", async (t) => {
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    const skopeo = await peer("skopeo");
    if (skopeo) {
      await t.step("skopeo, Docker types", async () => {
        await run([skopeo, "copy", "-q", `oci:${base}:latest`, `oci:${dir}/layout:one`]);
        await run([skopeo, "copy", "-q", `oci:${base}:latest`, `oci:${dir}/layout:two`]);
        ok((await useSource(sourceOci, "oci:layout:two", { dir }))?.state.layers.length);
        // both tags name the same image, so there is nothing to choose
        ok(await useSource(sourceOci, "oci:layout", { dir }));
      });
    }
    const umoci = await peer("umoci");
    if (umoci) {
      await t.step("umoci, with a tag that must be chosen", async () => {
        await run(["cp", "-r", base, `${dir}/umoci`]);
        await run([
          umoci,
          "config",
          "--image",
          `${dir}/umoci:latest`,
          "--tag",
          "new",
          "--config.user",
          "nobody",
        ]);
        const found = await useSource(sourceOci, "oci:umoci:new", { dir });
        strictEqual(found?.state.config.config?.User, "nobody");
        await rejects(useSource(sourceOci, "oci:umoci", { dir }), {
          message: /latest, new, name one after ":"/,
        });
      });
    }
  });
});
