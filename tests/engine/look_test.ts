import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createEngine, type Engine, type FileDifference, type ImageFile, use } from "../../mod.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import { MemoryRegistry } from "../../testing/mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { withProject } from "../support/project.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { gzipLayer, writeImage } from "../support/made_image.ts";
import { isRoot, peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { architecture } from "../support/rootfs_image.ts";
import { withTempDir } from "../support/tmp.ts";

/** Everything that a file system can hold, by GNU tar. */
const first = `
set -eu
mkdir -p d/sub opq/deep "$(printf 'new\\nline')" file2dir.d
echo a > d/a; ln d/a d/hard; ln -s ../nowhere d/link; echo b > d/sub/b
mkfifo d/fifo; mknod d/null c 1 3; mknod d/disk b 7 300
truncate -s 3M d/sparse; printf x | dd of=d/sparse bs=1 seek=2000000 conv=notrunc status=none
printf esc > "$(printf 'esc\\033[31m')"; printf nl > "$(printf 'new\\nline/x')"
long=$(printf 'n%.0s' $(seq 120)); mkdir -p "$long/$long"; printf long > "$long/$long/$long"
printf é > é; chmod 4755 é; chown 1234:70000 é; setfattr -n user.x -v y é
touch -d '1969-12-31T23:59:00Z' d/a; head -c 5000 /dev/zero > gone; head -c 6000 /dev/zero > repeated
head -c 7000 /dev/zero > rewritten; echo 1 > opq/x; echo 2 > opq/deep/y; echo f > was-file; mkdir was-dir; echo i > was-dir/i
head -c 8000 /dev/zero > half; ln half half-link
`;
const second = `
set -eu
rm gone half; chmod 600 repeated; echo new > rewritten; rm was-file; mkdir was-file; echo in > was-file/in
rm -r was-dir; echo now > was-dir; ln -f d/a d/sub/hard2; touch -d 2020-02-02T02:02:02Z d; chmod 1777 d
`;

/** What an image shows, in the words of this test. */
function told({ path, type, mode, uid, gid, size, mtime, digest, target, device, xattrs = {} }: ImageFile) {
  return {
    path,
    type,
    ...(type !== "symlink" && { mode }),
    owner: `${uid}:${gid}`,
    size,
    ...(mtime !== undefined && type !== "symlink" && { mtime: Math.floor(mtime) }),
    ...(digest && { digest }),
    ...(target !== undefined && { target }),
    ...(device && { device }),
    x: xattrs["user.x"] ?? "",
  };
}

/** The same of a directory, by the system. */
async function unpacked(root: string): Promise<Map<string, ReturnType<typeof told>>> {
  const found = new Map<string, ReturnType<typeof told>>();
  const visit = async (path: string) => {
    const full = root + path;
    const stat = Deno.lstatSync(full);
    const type = stat.isDirectory
      ? "dir"
      : stat.isSymlink
      ? "symlink"
      : stat.isFifo
      ? "fifo"
      : stat.isCharDevice
      ? "char"
      : stat.isBlockDevice
      ? "block"
      : "file";
    const device = type === "char" || type === "block";
    const numbers = device ? (await run(["stat", "--printf", "%t %T", full])).stdout.split(" ") : [];
    const x = type === "file"
      ? (await run(["getfattr", "-n", "user.x", "--only-values", full], { allowFailure: true })).stdout
      : "";
    found.set(path, {
      path,
      type,
      ...(type !== "symlink" &&
        {
          mode: (stat.mode! & 0o7777).toString(8).padStart(4, "0"),
          mtime: Math.floor(stat.mtime!.getTime() / 1000),
        }),
      owner: `${stat.uid}:${stat.gid}`,
      size: type === "file" ? stat.size : 0,
      ...(type === "file" &&
        { digest: `sha256:${createHash("sha256").update(Deno.readFileSync(full)).digest("hex")}` as never }),
      ...(type === "symlink" && { target: Deno.readLinkSync(full) }),
      ...(device && { device: numbers.map((hex) => parseInt(hex, 16)).join(":") }),
      x: btoa(x),
    });
    if (type === "dir") {
      for (const { name } of Deno.readDirSync(full)) {
        await visit(path === "/" ? `/${name}` : `${path}/${name}`);
      }
    }
  };
  await visit("/");
  return found;
}

async function assertShows(engine: Engine, image: string, root: string): Promise<void> {
  const there = await unpacked(root);
  const { files } = await engine.files(image);
  const listed = new Map(files.map((file) => [file.path, told(file)]));
  assert.deepEqual([...listed.keys()].sort(), [...there.keys()].sort());
  for (const [path, file] of listed) {
    // What no layer says, umoci takes from the clock.
    const mtime = file.mtime === undefined ? {} : { mtime: there.get(path)!.mtime! };
    const { mtime: _, ...rest } = there.get(path)!;
    assert.deepEqual(file, { ...rest, ...mtime }, path);
  }
}

async function tarOf(dir: string): Promise<Uint8Array> {
  const tar = `${dir}.tar`;
  await run([
    "tar",
    "-cf",
    tar,
    "-C",
    dir,
    "--format=posix",
    "--sparse",
    "--xattrs",
    "--numeric-owner",
    "--sort=name",
    ".",
  ]);
  return await Deno.readFile(tar);
}

function tar(...entries: readonly (Partial<TarEntry> & { readonly path: string; readonly text?: string })[]) {
  const usual = { type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 1 } as const;
  const parts = entries.flatMap(({ text = "", ...entry }) => {
    const content = new TextEncoder().encode(text);
    return [
      encodeTarHeader({ ...usual, size: content.length, ...entry }),
      content,
      tarPadding(content.length),
    ];
  });
  return new Uint8Array([...parts, TAR_TRAILER].flatMap((part) => [...part]));
}

async function inDirectory(body: (dir: string, engine: Engine) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await using engine = createEngine({
      dir,
      home: `${dir}/home`,
      env: { HOME: dir, PATH: Deno.env.get("PATH") },
    });
    await body(dir, engine);
  });
}

const short = ({ path, change, what }: FileDifference) => `${change} ${path} ${what.join(" ")}`.trim();

Deno.test("an image of GNU tar and umoci shows what umoci unpacks of it", async (t) => {
  const umoci = await peer("umoci");
  const skopeo = await peer("skopeo");
  if (!umoci || !skopeo || !isRoot()) return;
  await inDirectory(async (dir, engine) => {
    const image = `${dir}/image`;
    await Deno.mkdir(`${dir}/first`);
    await run(["bash", "-c", first], { cwd: `${dir}/first` });
    await writeImage(image, { layers: [gzipLayer(await tarOf(`${dir}/first`))] });
    await run([umoci, "unpack", "--image", `${image}:latest`, `${dir}/one`]);
    await t.step("one layer", () => assertShows(engine, `oci:image:latest`, `${dir}/one/rootfs`));
    await run(["bash", "-c", second], { cwd: `${dir}/one/rootfs` });
    await run([umoci, "repack", "--image", `${image}:two`, `${dir}/one`]);
    await run([umoci, "unpack", "--image", `${image}:two`, `${dir}/two`]);
    await t.step("two layers", () => assertShows(engine, "oci:image:two", `${dir}/two/rootfs`));
    await t.step("what the second hides is wasted", async () => {
      const { wasted, wastedBytes, layers } = await engine.files("oci:image:two");
      const rows = wasted.filter(({ size }) => size > 4);
      assert.deepEqual(rows.map(({ path, size, how }) => `${path} ${size} ${how}`), [
        "/half 8000 removed",
        "/rewritten 7000 rewritten",
        "/repeated 6000 repeated",
        "/gone 5000 removed",
      ]);
      assert.ok(rows.every(({ layer, by }) => layer === 0 && by === 1));
      assert.equal(wastedBytes, layers[0]!.wastedBytes);
      assert.equal(wastedBytes, wasted.reduce((sum, { size }) => sum + size, 0));
    });
    await t.step("and told as differences", async () => {
      const { files, sameLayers, before, after } = await engine.diff("oci:image:latest", "oci:image:two");
      assert.deepEqual(
        files.filter(({ what }) => what.join() !== "time").map(short).sort(),
        [
          "added /d/sub/hard2",
          "added /was-file/in",
          "changed /d mode time",
          "changed /repeated mode time",
          "changed /rewritten content time",
          "changed /was-dir type mode time",
          "changed /was-file type mode time",
          "removed /gone",
          "removed /half",
          "removed /was-dir/i",
        ],
      );
      assert.equal(sameLayers, 1);
      assert.deepEqual([before.image, after.image], ["oci:image:latest", "oci:image:two"]);
      assert.deepEqual((await engine.diff("oci:image:two", "oci:image:two")).files, []);
    });
    await t.step("zstd, through a registry: the same, and nothing of it stays here", async () => {
      await using registry = await startDockerRegistry() ?? null;
      if (!registry) return;
      const { host } = registry;
      const to = `docker://${host}/x/y:two`;
      const how = ["--dest-compress-format", "zstd", "--dest-tls-verify=false"];
      await run([skopeo, "--insecure-policy", "copy", "-q", ...how, `oci:${image}:two`, to]);
      const far = await engine.files(`${host}/x/y:two`);
      const near = await engine.files("oci:image:two");
      assert.deepEqual(far.files, near.files);
      assert.deepEqual((await engine.diff(`${host}/x/y@${far.digest}`, "oci:image:two")).files, []);
      for (const { digest } of [...far.layers, ...near.layers]) {
        await assert.rejects(Deno.stat(`${dir}/home/blobs/sha256/${digest.slice(7)}`), Deno.errors.NotFound);
      }
      await assert.rejects(engine.files(`${host}/x/y:none`), {
        code: "SOURCE_NOT_FOUND",
        message: /does not have it/,
      });
    });
    await t.step("an archive of docker save", async () => {
      await run([
        skopeo,
        "--insecure-policy",
        "copy",
        "-q",
        `oci:${image}:two`,
        `docker-archive:${dir}/a.tar:n/m:two`,
      ]);
      assert.deepEqual((await engine.diff("archive:a.tar:n/m:two", "oci:image:two")).files, []);
    });
  });
});

Deno.test("opaque directories, links to lower layers and names that are not UTF-8", async () => {
  await inDirectory(async (dir, engine) => {
    const odd = tar({ path: "odd\x7f", size: 0 });
    const at = odd.indexOf(0x7f);
    odd[at] = 0xff;
    let sum = 0;
    for (let i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? 0x20 : odd[i]!;
    odd.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
    await writeImage(`${dir}/image`, {
      layers: [
        gzipLayer(tar({ path: "o/lower" }, { path: "o/deep/lower" }, { path: "a", mode: 0o640 })),
        gzipLayer(
          tar({ path: "o/upper" }, { path: "o/.wh..wh..opq" }, { path: "l", type: "hardlink", link: "a" }),
        ),
        gzipLayer(odd),
      ],
      config: {
        history: [{ created_by: "RUN a" }, { created_by: "dapp git:setup" }, {
          created_by: "dapp setup: a: b",
        }],
      },
    });
    const { files, layers } = await engine.files("oci:image");
    const rows = files.map(({ path, mode, hardlink = "", layer, stage = "" }) =>
      `${path} ${mode} ${hardlink} ${layer} ${stage}`.replaceAll(/ +/g, " ").trim()
    );
    assert.deepEqual(rows.sort(), [
      "/ 0755 0",
      "/a 0640 0",
      "/l 0640 /a 1 git:setup",
      "/o 0755 0",
      "/o/upper 0644 1 git:setup",
      "/odd\udcff 0644 2 setup",
    ]);
    assert.deepEqual(layers.map(({ createdBy }) => createdBy), [
      "RUN a",
      "dapp git:setup",
      "dapp setup: a: b",
    ]);
  });
});

Deno.test("bytes that another hard link still shows are not wasted; what a layer hides counts once", async () => {
  await inDirectory(async (dir, engine) => {
    await writeImage(`${dir}/image`, {
      layers: [
        gzipLayer(tar(
          { path: "kept", text: "0123456789" },
          { path: "link", type: "hardlink", link: "kept" },
          { path: "d/gone", text: "01234" },
          { path: "d/same", text: "012" },
          { path: "replaced/in", text: "01" },
        )),
        gzipLayer(
          tar({ path: ".wh.kept" }, { path: "d/.wh.gone" }, { path: "d/same", mode: 0o600, text: "012" }),
        ),
        gzipLayer(tar({ path: "d/gone", text: "new" }, { path: "replaced", text: "0" })),
      ],
    });
    const { wasted, bytes, layers } = await engine.files("oci:image");
    assert.deepEqual(wasted, [
      { path: "/d/gone", size: 5, how: "removed", layer: 0, by: 1 },
      { path: "/d/same", size: 3, how: "repeated", layer: 0, by: 1 },
      { path: "/replaced/in", size: 2, how: "removed", layer: 0, by: 2 },
    ]);
    assert.equal(bytes, 10 + 3 + 3 + 1);
    assert.deepEqual(layers.map(({ bytes, wastedBytes }) => [bytes, wastedBytes]), [[20, 10], [3, 0], [
      4,
      0,
    ]]);
  });
});

Deno.test("what is not as the image says is refused, and a platform can be chosen", async () => {
  await inDirectory(async (dir, engine) => {
    const layer = gzipLayer(tar({ path: "a" }));
    const other = gzipLayer(tar({ path: "b" }));
    await writeImage(`${dir}/lies`, { layers: [{ ...layer, diffId: other.diffId }] });
    await assert.rejects(engine.files("oci:lies"), {
      code: "LAYER_INVALID",
      message: /its content is sha256:/,
    });
    await writeImage(`${dir}/cut`, { layers: [{ ...layer, blob: layer.blob.subarray(0, 40) }] });
    await assert.rejects(engine.files("oci:cut"), { code: "LAYER_INVALID" });
    await writeImage(`${dir}/link`, {
      layers: [gzipLayer(tar({ path: "l", type: "hardlink", link: "none" }))],
    });
    await assert.rejects(engine.files("oci:link"), { code: "LAYER_INVALID", message: /leads to no file/ });
    await assert.rejects(engine.files("oci:nowhere"), {
      code: "SOURCE_NOT_FOUND",
      message: /no OCI layout is there/,
    });

    await writeImage(`${dir}/two`, { layers: [layer] });
    const own = JSON.parse(await Deno.readTextFile(`${dir}/two/index.json`)).manifests[0];
    await writeImage(`${dir}/two`, { layers: [other], config: { architecture: "s390x" } });
    const far = JSON.parse(await Deno.readTextFile(`${dir}/two/index.json`)).manifests[0];
    const manifests = [
      { ...own, platform: { os: "linux", architecture } },
      { ...far, platform: { os: "linux", architecture: "s390x" } },
    ];
    await Deno.writeTextFile(`${dir}/two/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
    const names = async (platform?: string) => {
      await using chosen = createEngine({ dir, home: `${dir}/home`, ...(platform && { platform }) });
      return (await chosen.files("oci:two:latest")).files.map(({ path }) => path);
    };
    assert.deepEqual(await names(), ["/", "/a"]);
    assert.deepEqual(await names("linux/s390x"), ["/", "/b"]);
    await assert.rejects(names("linux/riscv64"), {
      code: "SOURCE_INVALID",
      fix: "Say with --platform which of them is meant",
    });
  });
});

Deno.test("a dimg is compared with its last build, by stage; stages are images, too", async () => {
  const base = "b";
  const dappfile = (text: string) =>
    `project: shop
---
dimg: app
from: oci:../${base}
git: [{ add: /src, to: /src, stageDependencies: { setup: ["**"] } }]
shell: { install: ["write i i"], setup: ["write s ${text}"] }
docker: { ENV: { WHAT: "${text}" } }
`;
  await withProject({ "dappfile.yaml": dappfile("one"), "src/a": "1", "src/b": "1" }, async (project) => {
    await writeImage(`${project.dir}/../${base}`, {
      layers: [gzipLayer(tar({ path: "base", text: "base" }))],
      config: { history: [{ created_by: "ADD base" }] },
    });
    const ask = async <T>(call: (engine: Engine) => Promise<T>): Promise<T> => {
      await using engine = project.engine({ plugins: [use(fakeBuilder(new FakeBuilderLog()))] });
      return await call(engine);
    };
    await assert.rejects(ask((engine) => engine.files()), { code: "NOT_BUILT" });
    await ask((engine) => engine.build());
    await assert.rejects(ask((engine) => engine.diff()), { code: "NOT_BUILT", message: /before is here/ });
    const old = await ask((engine) => engine.files("app"));
    const stages = Object.fromEntries(old.files.map(({ path, layer, stage }) => [path, stage ?? layer]));
    assert.deepEqual([stages["/base"], stages["/i"], stages["/s"]], [0, "install", "setup"]);
    assert.match(`${stages["/src/a"]}`, /^git/);

    await project.write({ "dappfile.yaml": dappfile("two"), "src/a": "22" });
    await project.remove("src/b");
    await project.commit();
    await assert.rejects(ask((engine) => engine.diff("app")), {
      code: "NOT_BUILT",
      message: /current state/,
    });
    await ask((engine) => engine.build());
    const found = await ask((engine) => engine.diff("app"));
    const told = found.files.map((file) => `${short(file)} ${file.after?.stage ?? ""}`.replace(" time", ""));
    assert.deepEqual(told.filter((row) => !/ \/src |\/ /.test(row)), [
      "changed /s content setup",
      `changed /src/a content ${stages["/src/a"]}`,
      "removed /src/b ",
    ]);
    assert.deepEqual(found.config, [{ key: "Env WHAT", before: "one", after: "two" }]);
    const bySignature = await ask((engine) => engine.diff(old.signature, "app"));
    assert.deepEqual(bySignature.files, found.files);
    const install = await ask((engine) => engine.files("app/install"));
    assert.deepEqual(install.files.map(({ path }) => path).sort(), ["/", "/base", "/i"]);
    await assert.rejects(ask((engine) => engine.files("app/none")), { code: "STAGE_UNKNOWN" });
    await assert.rejects(ask((engine) => engine.files("ap")), {
      code: "DIMG_UNKNOWN",
      message: /Did you mean "app"/,
    });
    await assert.rejects(ask((engine) => engine.diff("oci:../b")), {
      code: "USAGE",
      message: /it is no dimg/,
    });

    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/shop`;
    await ask((engine) => engine.pushStages([], { repo }));
    await ask((engine) => engine.push([], { repo, tags: [{ flag: "tag", value: "v2" }] }));
    const near = await ask((engine) => engine.files("app"));
    await Deno.remove(project.home, { recursive: true });
    await assert.rejects(ask((engine) => engine.files("app")), { code: "NOT_BUILT" });
    await using far = project.engine({ repo });
    assert.deepEqual((await far.files("app")).files, near.files);
    const published = await far.diff(`${repo}/app:v2`, "app");
    assert.deepEqual(published.files, []);
    assert.deepEqual([...new Set(published.config.map(({ key }) => key.split(" ")[0]))], ["Labels"]);
    for (const { digest } of near.layers) {
      await assert.rejects(
        Deno.stat(`${project.home}/blobs/sha256/${digest.slice(7)}`),
        Deno.errors.NotFound,
      );
    }
    registry.loseBlob(near.layers[0]!.digest);
    await assert.rejects(far.files("app"), { code: "REGISTRY_FAILED" });
  });
});

Deno.test("what differs in the configuration", async () => {
  await inDirectory(async (dir, engine) => {
    const config = (config: object) => ({ layers: [], config: { config } });
    await writeImage(
      `${dir}/a`,
      config({ Env: ["PATH=/bin", "A=1", "B="], Entrypoint: ["x"], Labels: { l: "1", m: "2" }, User: "" }),
    );
    await writeImage(
      `${dir}/b`,
      config({
        Env: ["A=2", "PATH=/bin"],
        Cmd: ["y z"],
        Labels: { m: "2", n: "3" },
        ExposedPorts: { "80/tcp": {} },
      }),
    );
    assert.deepEqual((await engine.diff("oci:a", "oci:b")).config, [
      { key: "Cmd", after: '["y z"]' },
      { key: "Entrypoint", before: '["x"]' },
      { key: "Env A", before: "1", after: "2" },
      { key: "Env B", before: "" },
      { key: "ExposedPorts 80/tcp", after: "{}" },
      { key: "Labels l", before: "1" },
      { key: "Labels n", after: "3" },
    ]);
  });
});

Deno.test("what publishing adds is told from other differences, where one of both images is published", async () => {
  await inDirectory(async (dir, engine) => {
    const labelled = (Labels: Record<string, string>) => ({ layers: [], config: { config: { Labels } } });
    const version = "org.opencontainers.image.version";
    const notes = { dapp: "shop", "dapp-commit": "1", [version]: "v1" };
    await writeImage(`${dir}/bare`, labelled({ own: "1" }));
    await writeImage(`${dir}/one`, labelled({ own: "1", ...notes }));
    await writeImage(`${dir}/two`, labelled({ own: "2", ...notes, "dapp-commit": "2" }));
    await writeImage(`${dir}/theirs`, labelled({ own: "1", [version]: "7" }));
    const told = async (one: string, other: string) =>
      (await engine.diff(`oci:${one}`, `oci:${other}`)).config
        .map(({ key, published }) => `${key.replace("Labels ", "")}${published ? " published" : ""}`);
    const added = ["dapp published", "dapp-commit published", `${version} published`];
    assert.deepEqual(await told("one", "bare"), added);
    assert.deepEqual(await told("bare", "two"), [...added, "own"].sort());
    assert.deepEqual(await told("one", "two"), ["dapp-commit", "own"]);
    assert.deepEqual(await told("theirs", "bare"), [version]);
    assert.deepEqual(await told("theirs", "one"), ["dapp published", "dapp-commit published", version]);
  });
});
