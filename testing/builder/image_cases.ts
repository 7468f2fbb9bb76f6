/** Images made elsewhere, and how their layers stack up. */
import assert from "node:assert/strict";
import type { LayerRef } from "../../core/contract/plugin.ts";
import type { Cases } from "./cases.ts";
import { type LayerItem, makeLayer } from "./layers.ts";
import { StageRunner } from "./stage_runner.ts";

const dir = (path: string, more: Partial<LayerItem> = {}): LayerItem => ({ path, type: "dir", ...more });
const file = (path: string, content = ""): LayerItem => ({ path, content });
const link = (path: string, target: string): LayerItem => ({
  path,
  type: "symlink",
  link: target,
  mode: 0o777,
});

/** Foreign layers. */
export const imageCases: Cases = {
  "applies whiteouts and opaque marks of foreign layers": async ({ runner, base, store }) => {
    const one = await makeLayer(store, [
      dir("d"),
      file("d/a"),
      file("d/b"),
      dir("o"),
      file("o/x"),
      dir("r"),
      file("r/1"),
    ]);
    const two = await makeLayer(store, [
      ...[dir("d"), file("d/.wh.a"), dir("o"), file("o/y"), file("o/.wh..wh..opq")],
      ...[file(".wh.r"), dir("r"), file("r/2"), file(".wh..wh.plnk"), file("d/.wh.never")],
    ]);
    assert.equal(await runner.ask([...base, one, two], "ls /d /o /r"), "/d:\nb\n\n/o:\ny\n\n/r:\n2\n");
  },

  "shows nothing below a layer whose root is opaque": async ({ runner, base, store }) => {
    const one = await makeLayer(store, [dir("gone"), file("gone/x"), dir("etc"), file("etc/old")]);
    const two = await makeLayer(store, [file(".wh..wh..opq"), dir("etc"), file("etc/new")]);
    const command = "ls -d /etc/new /etc/passwd; test ! -e /etc/old && test ! -e /gone && echo hidden";
    assert.equal(await runner.ask([one, two, ...base], command), "/etc/new\n/etc/passwd\nhidden\n");
  },

  "leaves directories alone that a layer does not describe": async ({ runner, base, store }) => {
    const one = await makeLayer(store, [
      dir("opt", { mode: 0o711, uid: 5, gid: 6, mtime: 77 }),
      dir("opt/a", { mode: 0o700 }),
    ]);
    const two = await makeLayer(store, [file("opt/a/new/f", "x"), file("tmp/t")]);
    const three = await makeLayer(store, [file("opt/a/g", "x")]);
    const stat = "stat -c '%n %a %u %g' /opt /opt/a /opt/a/new /tmp; stat -c %Y /opt";
    const wanted = "/opt 711 5 6\n/opt/a 700 0 0\n/opt/a/new 755 0 0\n/tmp 1777 0 0\n77\n";
    assert.equal(await runner.ask([...base, one, two, three], stat), wanted);
    // the same layer on another base
    assert.equal(
      await runner.ask([...base, two], "stat -c '%n %a %u %g' /opt /opt/a"),
      "/opt 755 0 0\n/opt/a 755 0 0\n",
    );
  },

  "follows links of a layer inside of the image only": async ({ runner, base, store }) => {
    const layer = await makeLayer(store, [
      ...[
        dir("usr"),
        dir("usr/lib"),
        link("lib", "usr/lib"),
        file("lib/one", "1"),
        link("up", "../../../../.."),
        file("up/two", "2"),
      ],
      ...[
        link("abs", "/usr"),
        file("abs/three", "3"),
        link("loose", "/nowhere/at/all"),
        file("loose/four", "4"),
      ],
    ]);
    assert.equal(
      await runner.ask([...base, layer], "cat /usr/lib/one /two /usr/three /nowhere/at/all/four"),
      "1234",
    );
    for (const name of ["/two", "/usr/three", "/nowhere"]) {
      await assert.rejects(Deno.lstat(name), Deno.errors.NotFound);
    }
  },

  "lets later entries of a layer win": async ({ runner, base, store }) => {
    const layer = await makeLayer(store, [
      ...[
        file("a", "old"),
        file("a", "new"),
        dir("b"),
        file("b/in"),
        file("b", "file"),
        file("c"),
        dir("c"),
        file("c/in", "in"),
      ],
      ...[file("h1", "h"), { path: "h2", type: "hardlink", link: "h1" } as LayerItem],
    ]);
    assert.equal(await runner.ask([...base, layer], "cat /a /b /c/in /h2; stat -c %h /h1"), "newfileinh2\n");
  },

  "refuses layers that lead out of the image or are not what they claim": async ({ runner, base, store }) => {
    const bad = await makeLayer(store, [file("../evil", "x")]);
    await assert.rejects(runner.run([...base, bad], ["true"]), /".." component/);
    const loose = await makeLayer(store, [{ path: "h", type: "hardlink", link: "not/here" }]);
    await assert.rejects(runner.run([...base, loose], ["true"]), /hard link "\/h" leads to "\/not\/here"/);
    const good = await makeLayer(store, [file("x", "x")]);
    const lying: LayerRef = { diffId: `sha256:${"1".repeat(64)}` as LayerRef["diffId"], stored: good.stored };
    await assert.rejects(runner.run([...base, lying], ["true"]), /digest/);
  },

  "takes a layer that occurs twice": async ({ runner, base, store }) => {
    const one = await makeLayer(store, [dir("q"), file("q/a", "one")]);
    const two = await makeLayer(store, [dir("q"), file("q/.wh.a"), file("q/b", "two")]);
    assert.equal(await runner.ask([...base, one, two, one], "cat /q/a /q/b"), "onetwo");
  },

  "stands on 300 layers": async ({ runner, base, store }) => {
    const layers = await Promise.all(
      Array.from(
        { length: 300 },
        (_, i) => makeLayer(store, [dir("many"), file(`many/${i}`, `${i}`), file("top", `${i}`)]),
      ),
    );
    assert.equal(await runner.ask([...base, ...layers], "ls /many | wc -l; cat /top"), "300\n299");
  },

  "stands on an image without directories for mounts": async ({ runner, store }) => {
    const busybox = await Deno.readFile("/bin/busybox");
    const layer = await makeBinary(store, busybox);
    const { members, output } = await runner.run([layer], ["echo hi > /f; /bin/busybox ls /"], { env: {} });
    assert.deepEqual([...members.keys()], ["f"]);
    assert.match(output, /bin\ndev\netc\nf\nproc\nsys\n$/);
  },

  "gives layers to later steps before they are compressed": async ({ builder, base, store }) => {
    const { layer } = await builder.run({
      ...{ label: "a/b", signature: "0".repeat(64) as never, parents: base, commands: ["echo 1 > /early"] },
      ...{
        env: { PATH: "/bin" },
        mounts: [],
        network: "host",
        epoch: 0,
        compression: { kind: "gzip", level: 6 },
      },
    }, { output() {}, signal: new AbortController().signal });
    let compressed = false;
    let waited = false;
    const blob = layer!.blob.then(async (made) => {
      compressed = true;
      assert.ok("file" in made);
      const { mediaType, digest, size, diffId, file } = made;
      await store.blobs.adopt(file, digest);
      return { mediaType, digest, size, diffId };
    });
    const early: LayerRef = {
      diffId: layer!.diffId,
      get stored() {
        waited ||= !compressed;
        return blob;
      },
    };
    assert.equal(await new StageRunner(builder, store).ask([...base, early], "cat /early"), "1\n");
    assert.equal(waited, false, "the next step waited for the layer to be compressed");
    await blob;
  },
};

async function makeBinary(store: Parameters<typeof makeLayer>[0], binary: Uint8Array): Promise<LayerRef> {
  return await makeLayer(store, [
    { path: "bin/busybox", mode: 0o755, bytes: binary },
    link("bin/sh", "busybox"),
  ]);
}
