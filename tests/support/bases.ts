/**
 * Base images for tests, made once per machine from its own packages and kept outside the repository, in
 * `${XDG_CACHE_HOME:-~/.cache}/dapp-tests/`. Nothing is downloaded but Debian packages from the machine's own mirror.
 */
import { type DebianSource, formatSources, machineSources } from "./debian_sources.ts";
import { peer } from "./peers.ts";
import { run } from "./process.ts";
import { architecture, writeRootfsImage } from "./rootfs_image.ts";
import { removeTree } from "./tmp.ts";

/** Raise when the recipes below change, so that cached images are made anew. */
const RECIPE = 1;
const release = "bookworm";

/**
 * OCI layout directory with a busybox image under the tag `latest` (one layer, 2 MB): every applet in /bin, an
 * /etc/passwd with root and nobody, /tmp. Env `PATH=/bin`, Cmd `sh`. Needs the package busybox-static.
 */
export async function busyboxBase(): Promise<string> {
  const busybox = "/bin/busybox";
  const head = await readHead(busybox);
  if (head === undefined || head.includes("/ld-linux")) {
    throw new Error(
      `Cannot make the busybox base image: "${busybox}" is ${
        head === undefined ? "absent" : "linked dynamically"
      }, ` +
        "install the package busybox-static",
    );
  }
  const { mtime, size } = await Deno.stat(busybox);
  return await cached(
    `busybox-${await shortHash([RECIPE, "dated", size, mtime?.getTime()])}`,
    async (layout, scratch) => {
      const rootfs = `${scratch}/rootfs`;
      for (const dir of ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var/tmp"]) {
        await Deno.mkdir(`${rootfs}/${dir}`, { recursive: true });
      }
      for (const dir of ["tmp", "var/tmp"]) await Deno.chmod(`${rootfs}/${dir}`, 0o1777);
      await Deno.writeTextFile(
        `${rootfs}/etc/passwd`,
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
      );
      await Deno.writeTextFile(`${rootfs}/etc/group`, "root:x:0:\nnogroup:x:65534:\n");
      await Deno.copyFile(busybox, `${rootfs}/bin/busybox`);
      await Deno.chmod(`${rootfs}/bin/busybox`, 0o755);
      for (const applet of (await run([busybox, "--list"])).stdout.split("\n")) {
        if (applet !== "" && applet !== "busybox") await Deno.symlink("busybox", `${rootfs}/bin/${applet}`);
      }
      await writeRootfsImage(layout, { rootfs, mtime: 0, env: ["PATH=/bin"], cmd: ["sh"] });
    },
  );
}

/**
 * OCI layout directory with Debian 12 under the tag `latest` (`debootstrap --variant=minbase`, one layer), whose apt
 * uses this machine's mirror and whose dpkg does not sync. Cmd `bash`. The first call takes about 40 s and lands in
 * `~/.cache/dapp-tests/debian-bookworm-<hash of recipe and mirror>`. Undefined when debootstrap is absent, when this
 * process is not root, or when apt has no source for Debian 12; with `DAPP_REQUIRE_PEERS=1` those are failures.
 */
export async function debianBase(): Promise<string | undefined> {
  const debootstrap = await peer("debootstrap");
  if (debootstrap === undefined) return undefined;
  const sources = await machineSources(release);
  const mirror = sources.find(({ suite }) => suite === release)?.uri;
  if (mirror === undefined) return unavailable(`apt of this machine has no source for "${release}"`);
  if (Deno.uid() !== 0) return unavailable("debootstrap needs root");
  const name = `debian-${release}-${await shortHash([RECIPE, sources])}`;
  return await cached(name, async (layout, scratch) => {
    const rootfs = `${scratch}/rootfs`;
    const https = mirror.startsWith("https:");
    await run([
      "unshare", // so that mounts made inside vanish with the process
      "--mount",
      debootstrap,
      "--variant=minbase",
      ...(https ? ["--include=ca-certificates"] : []),
      release,
      rootfs,
      mirror,
    ], { env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" } });
    await settle(rootfs, sources, https);
    await writeRootfsImage(layout, {
      rootfs,
      exclude: ["./dev/*", "./proc/*", "./sys/*"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      cmd: ["bash"],
    });
  });
}

/** What the image of dapp installs: here already, so that tests of it build without a network. */
const IMAGE_PACKAGES = "ca-certificates git libcap2-bin libisal2 openssh-client slirp4netns uidmap";

/**
 * The Debian base image with the Deno that runs the tests and the packages of npm that it has, as images of Deno have
 * them, and with all that the image of dapp installs by apt. Undefined where `debianBase()` is.
 */
export async function denoBase(): Promise<string | undefined> {
  const debian = await debianBase();
  if (debian === undefined) return undefined;
  const deno = await Deno.stat(Deno.execPath());
  const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));
  const hash = await shortHash([RECIPE, debian, deno.size, IMAGE_PACKAGES, lock]);
  const name = `deno-${Deno.version.deno}-${hash}`;
  return await cached(name, async (layout, scratch) => {
    const rootfs = await unpackBase(debian, scratch);
    await Deno.copyFile(Deno.execPath(), `${rootfs}/usr/bin/deno`);
    await Deno.chmod(`${rootfs}/usr/bin/deno`, 0o755);
    await install(rootfs, IMAGE_PACKAGES);
    // whatever making the program takes: its packages, and Deno's own bundler
    const project = new URL("../../", import.meta.url).pathname;
    const fetching = [["install", "--entrypoint", "release/main.ts", "cli.ts"], [
      "bundle",
      "lib/unreachable.ts",
    ]];
    for (const words of fetching) await run([Deno.execPath(), ...words], { cwd: project });
    const { denoDir } = JSON.parse((await run([Deno.execPath(), "info", "--json"])).stdout);
    await run(
      ["sh", "-ec", 'mkdir "$1"; for d in npm dl; do if [ -e "$0/$d" ]; then cp -r "$0/$d" "$1"; fi; done']
        .concat(
          [denoDir, `${rootfs}/deno-dir`],
        ),
    );
    const bundle = "/etc/ssl/certs/ca-certificates.crt"; // for what is fetched all the same
    for (const to of [bundle, "/usr/local/share/ca-certificates/machine.crt"]) {
      await Deno.copyFile(bundle, rootfs + to);
    }
    await writeRootfsImage(layout, {
      rootfs,
      exclude: ["./dev/*", "./proc/*", "./sys/*"],
      env: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DENO_DIR=/deno-dir",
        "DENO_TLS_CA_STORE=system",
      ],
      cmd: ["bash"],
    });
  });
}

/** What the toolchains of services take, of Debian's own packages. */
const TOOLCHAINS = "golang-go nodejs python3 python3-pip";

/**
 * The Debian base image with Go, Node.js and Python, under the tag `latest`. The first call takes some minutes.
 * Undefined where `debianBase()` is.
 */
export async function toolchainBase(): Promise<string | undefined> {
  const debian = await debianBase();
  if (debian === undefined) return undefined;
  const name = `toolchains-${await shortHash([RECIPE, debian.split("/").at(-1), TOOLCHAINS])}`;
  return await cached(name, async (layout, scratch) => {
    const rootfs = await unpackBase(debian, scratch);
    await install(rootfs, TOOLCHAINS);
    await writeRootfsImage(layout, {
      rootfs,
      exclude: ["./dev/*", "./proc/*", "./sys/*", "./usr/share/doc/*", "./usr/share/man/*"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      cmd: ["bash"],
    });
  });
}

/** The files of a base image that was made here. */
async function unpackBase(layout: string, scratch: string): Promise<string> {
  const rootfs = `${scratch}/rootfs`;
  await Deno.mkdir(rootfs);
  await run(
    ["sh", "-c", 'for blob in "$0"/*; do tar -xzf "$blob" -C "$1" 2>/dev/null || true; done'].concat(
      [`${layout}/blobs/sha256`, rootfs],
    ),
  );
  return rootfs;
}

/** Installs Debian packages. */
async function install(rootfs: string, packages: string): Promise<void> {
  const commands = [
    'cp /etc/resolv.conf "$0/etc/resolv.conf"',
    'mount --rbind /dev "$0/dev" && mount -t proc none "$0/proc"',
    `env --unset=TMPDIR chroot "$0" sh -ec 'apt-get update -q && apt-get install -qy ${packages}'`,
    'rm -rf "$0"/var/lib/apt/lists/* "$0"/var/cache/apt/archives/*.deb "$0"/etc/apt/sources.list',
    ': > "$0/etc/resolv.conf"',
  ];
  await run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", commands.join("\n"), rootfs], {
    env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
  });
}

/** Leaves out what is stale at once, and sets apt and dpkg up for builds. */
async function settle(rootfs: string, sources: readonly DebianSource[], https: boolean): Promise<void> {
  await run([
    "sh",
    "-c",
    "cd $0 && rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* var/log/*.log var/cache/ldconfig/aux-cache",
    rootfs,
  ]);
  await Deno.writeTextFile(`${rootfs}/etc/apt/sources.list`, formatSources(sources));
  await Deno.writeTextFile(`${rootfs}/etc/dpkg/dpkg.cfg.d/docker-apt-speedup`, "force-unsafe-io\n");
  await Deno.writeTextFile(
    `${rootfs}/etc/apt/apt.conf.d/99tests`,
    // the machine's clock may be ahead of or behind its mirror
    'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n' +
      'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' + await aptProxy(),
  );
  await Deno.writeTextFile(`${rootfs}/etc/resolv.conf`, "");
  if (https) {
    const bundle = "/etc/ssl/certs/ca-certificates.crt";
    await Deno.copyFile(bundle, rootfs + bundle);
  }
}

/** The machine's own proxy for packages, if it has one. */
async function aptProxy(): Promise<string> {
  const { stdout } = await run(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], {
    allowFailure: true,
  });
  return stdout.split("\n").filter((line) => /^Acquire::https?::Proxy /i.test(line)).map((line) =>
    `${line}\n`
  ).join("");
}

function unavailable(why: string): undefined {
  if (Deno.env.get("DAPP_REQUIRE_PEERS") === "1") {
    throw new Error(`Cannot make the Debian base image: ${why}`);
  }
  Deno.stderr.writeSync(
    new TextEncoder().encode(`[without a Debian base image, as ${why}: this test is left out]\n`),
  );
  return undefined;
}

/** Makes a directory once, however many processes ask; `make` fills `layout`, and may use `scratch`. */
async function cached(
  name: string,
  make: (layout: string, scratch: string) => Promise<void>,
): Promise<string> {
  const home = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  const cache = `${home}/dapp-tests`;
  const final = `${cache}/${name}`;
  if (await exists(`${final}/index.json`)) return final;
  await Deno.mkdir(cache, { recursive: true });
  using lock = await Deno.open(`${cache}/${name}.lock`, { create: true, write: true });
  await lock.lock(true); // released when the file is closed, or with the process
  if (await exists(`${final}/index.json`)) return final;
  const scratch = `${cache}/${name}.new`;
  try {
    await removeTree(scratch); // of a process that died
    await Deno.mkdir(scratch);
    await make(`${scratch}/layout`, scratch);
    await Deno.rename(`${scratch}/layout`, final);
  } finally {
    await removeTree(scratch);
  }
  return final;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The start of a file as text, or undefined when it is absent. */
async function readHead(path: string): Promise<string | undefined> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(4096);
    const read = await file.read(bytes) ?? 0;
    return new TextDecoder("latin1").decode(bytes.subarray(0, read));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function shortHash(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([architecture, value]));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 8);
}
