import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { type ExportImage, exportImages } from "../../core/export/mod.ts";
import type { ImageState } from "../../core/contract/store.ts";
import { manifestOf } from "../../lib/oci/build.ts";
import { layoutDirectory, LayoutReader } from "../../lib/oci/layout.ts";
import { sourceArchive } from "../../plugins/source/archive.ts";
import { sourceOci } from "../../plugins/source/oci_layout.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { useSource } from "../source/sources.ts";
import { busyboxBase } from "../support/bases.ts";
import { startDocker } from "../support/docker.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

interface Setting {
  readonly dir: string;
  readonly state: ImageState;
  readonly digest: string;
  write(destination: string, images?: readonly ExportImage[]): Promise<readonly number[]>;
}

/** A store in `dir/store` that holds busybox. */
async function withImage(body: (setting: Setting) => Promise<void>): Promise<void> {
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    const { state } = (await useSource(sourceOci, `oci:${base}`, { dir }))!;
    await using store = await LocalStore.open(`${dir}/store`);
    const write = async (destination: string, images = [{ name: "app", reference: "app", state }]) => {
      const told: number[] = [];
      const { signal } = new AbortController();
      await exportImages(images, destination, {
        store,
        projectDir: dir,
        signal,
        progress: (done, total) => void told.push(done, total),
      });
      return told;
    };
    await body({ dir, state, digest: (await manifestOf(state)).manifest.digest, write });
  });
}

const other = (state: ImageState): ImageState => ({ ...state, config: { ...state.config, author: "other" } });
const tags = async (dir: string) => {
  const { manifests } = await new LayoutReader(layoutDirectory(dir), dir).index();
  return manifests.map(({ annotations }) => Object.values(annotations ?? {}).join());
};

Deno.test("exportImages() writes OCI layouts", async (t) => {
  await withImage(async ({ dir, state, digest, write }) => {
    await t.step("a new one, which source-oci reads", async () => {
      const told = await write("oci:out");
      strictEqual(told.at(-1), told.at(-2));
      const found = await useSource(sourceOci, "oci:out:app", { dir });
      strictEqual(found?.resolved.id, digest);
      deepStrictEqual(found?.state, state);
    });
    await t.step("keeps other tags and replaces its own", async () => {
      await write("oci:out:second", [{ name: "app", reference: "app", state: other(state) }]);
      await write("oci:out:second");
      deepStrictEqual(await tags(`${dir}/out`), ["app", "second"]);
      strictEqual((await useSource(sourceOci, "oci:out:second", { dir }))?.resolved.id, digest);
    });
    await t.step("several writers at once lose nothing", async () => {
      const names = ["a", "b", "c", "d", "e", "f"];
      await Promise.all(names.map((name) => write(`oci:many:${name}`)));
      deepStrictEqual((await tags(`${dir}/many`)).toSorted(), names);
    });
    await t.step("leaves no temporary files", async () => {
      const { stdout } = await run(["find", `${dir}/out`, `${dir}/many`, "-name", "*.tmp"]);
      strictEqual(stdout, "");
    });
    await t.step("removes what exports to the same place left that were killed", async () => {
      const left = `${dir}/out/blobs/sha256/${digest.slice("sha256:".length)}.0123abcd.tmp`;
      await Deno.writeTextFile(left, "half");
      await write("oci:out");
      await rejects(Deno.lstat(left), Deno.errors.NotFound);
      for (const kind of ["oci-archive", "docker-archive"]) {
        for (const left of ["left.tar.0123abcd.tmp", "left.tar.0123abcd.tmp.old"]) {
          await Deno.writeTextFile(`${dir}/${left}`, "half");
        }
        await write(`${kind}:left.tar`);
        const { stdout } = await run(["find", dir, "-name", "left.tar*"]);
        strictEqual(stdout.trim(), `${dir}/left.tar`);
      }
    });
    await t.step("refuses what is something else", async () => {
      await Deno.mkdir(`${dir}/full`);
      await Deno.writeTextFile(`${dir}/full/file`, "mine");
      await rejects(write("oci:full"), { code: "EXPORT_FAILED", message: /something else/ });
      await rejects(write("oci:full/file"), { code: "EXPORT_FAILED", message: /a file is there/ });
      strictEqual(await Deno.readTextFile(`${dir}/full/file`), "mine");
      await rejects(write("oci-archive:full"), { code: "EXPORT_FAILED", message: /not a file/ });
    });
  });
});

Deno.test("exportImages() refuses destinations that cannot be meant", async (t) => {
  await withImage(async ({ state, write }) => {
    const cases = [
      "out",
      "tar:x",
      "oci:",
      "oci::tag",
      "oci:x:",
      "oci:x:a b",
      "docker-archive:x:UPPER",
      "oci-archive:-",
    ];
    for (const destination of cases) {
      await t.step(destination, () => rejects(write(destination), { code: "USAGE" }));
    }
    await t.step("one name for two images", async () => {
      const two = ["a", "b"].map((name) => ({ name, reference: name, state }));
      await rejects(write("oci:x:tag", two), { code: "USAGE", message: /each needs a name of its own/ });
    });
  });
});

Deno.test("exportImages() writes archives of equal bytes", async (t) => {
  await withImage(async ({ dir, state, write }) => {
    for (const kind of ["oci-archive", "docker-archive"]) {
      await t.step(kind, async () => {
        const images = [
          { name: "app", reference: "app", state },
          { name: "other", reference: "group/other", state: other(state) },
        ];
        await write(`${kind}:one.tar`, images);
        await write(`${kind}:two.tar`, images);
        deepStrictEqual(await Deno.readFile(`${dir}/one.tar`), await Deno.readFile(`${dir}/two.tar`));
        const found = await useSource(sourceArchive, "archive:one.tar:app", { dir });
        deepStrictEqual(found?.state, state);
        const second = await useSource(sourceArchive, "archive:one.tar:group/other", { dir });
        strictEqual(second?.state.config.author, "other");
      });
    }
  });
});

Deno.test("exportImages() writes what skopeo, umoci and buildah read", async (t) => {
  await withImage(async ({ dir, state, digest, write }) => {
    await write("oci:out:v1");
    await write("oci-archive:a.tar:v1");
    await write("docker-archive:d.tar:shop/app:v1");
    const skopeo = await peer("skopeo");
    if (skopeo) {
      for (const name of [`oci:${dir}/out:v1`, `oci-archive:${dir}/a.tar:v1`]) {
        await t.step(`skopeo inspect ${name.split(":")[0]}`, async () => {
          strictEqual(JSON.parse((await run([skopeo, "inspect", name])).stdout).Digest, digest);
        });
      }
      await t.step("skopeo copy from the Docker archive", async () => {
        await run([skopeo, "copy", "-q", `docker-archive:${dir}/d.tar:shop/app:v1`, `oci:${dir}/copy:v1`]);
        const found = await useSource(sourceOci, "oci:copy:v1", { dir });
        deepStrictEqual(found?.state.config.rootfs, state.config.rootfs);
      });
    }
    const umoci = await peer("umoci");
    if (umoci) {
      await t.step("umoci unpack", async () => {
        const flags = Deno.uid() === 0 ? [] : ["--rootless"];
        await run([umoci, "unpack", ...flags, "--image", `${dir}/out:v1`, `${dir}/bundle`]);
        ok((await Deno.stat(`${dir}/bundle/rootfs/bin/busybox`)).isFile);
      });
    }
    const buildah = await peer("buildah");
    if (buildah) {
      await t.step("buildah pull", async () => {
        const options = ["--root", `${dir}/b`, "--runroot", `${dir}/br`, "--storage-driver", "vfs"];
        for (const name of [`oci:${dir}/out:v1`, `oci-archive:${dir}/a.tar`, `docker-archive:${dir}/d.tar`]) {
          await run([buildah, ...options, "pull", "-q", name]);
        }
      });
    }
  });
});

Deno.test("exportImages() writes what docker load takes, zstd layers unpacked", async () => {
  const docker = await startDocker();
  if (!docker) return;
  await using _ = docker;
  await withImage(async ({ dir, state, write }) => {
    const skopeo = await peer("skopeo");
    let shown = state;
    if (skopeo) {
      await write("oci:plain:v1");
      const zstd = ["--dest-compress-format", "zstd", "--dest-compress"];
      await run([skopeo, "copy", "-q", ...zstd, `oci:${dir}/plain:v1`, `oci:${dir}/zstd:v1`]);
      shown = (await useSource(sourceOci, "oci:zstd:v1", { dir }))!.state;
    }
    await write("docker-archive:d.tar", [
      { name: "app", reference: "app", state },
      { name: "z", reference: "zipped:2", state: shown },
    ]);
    await docker.docker(["load", "-i", `${dir}/d.tar`]);
    for (const name of ["app:latest", "zipped:2"]) {
      const args = ["run", "--rm", "--network", "host", name, "echo", "works"];
      strictEqual((await docker.docker(args)).stdout, "works\n");
    }
  });
});
