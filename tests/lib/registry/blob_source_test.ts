import { rejects } from "node:assert/strict";
import { digestFromHex } from "../../../lib/oci/digest.ts";
import { verifySource } from "../../../lib/registry/blob_source.ts";
import { withTempDir } from "../../support/tmp.ts";

Deno.test("verifySource() can be stopped while it reads", () =>
  withTempDir(async (dir) => {
    const [file, size] = [`${dir}/blob`, 512 * 1024 * 1024];
    await Deno.writeFile(file, new Uint8Array(0));
    await Deno.truncate(file, size); // takes no room on the disk
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopping = new AbortController();
    setTimeout(() => {
      stopping.abort(new Error("stopped"));
      resolve();
    }, 1);
    const blob = { digest: digestFromHex("0".repeat(64)), size, source: { file } };
    await rejects(verifySource(blob, stopping.signal), { message: "stopped" });
    await promise;
  }));
