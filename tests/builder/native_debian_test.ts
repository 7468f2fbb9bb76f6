/** The native builder on a Debian base: what busybox cannot do, and a comparison with umoci. */
import assert from "node:assert/strict";
import type { ImageConfig } from "../../lib/oci/types.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { debianBase } from "../support/bases.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { type Ran, StageRunner } from "../../testing/builder/stage_runner.ts";

/** Linux x86_64 and arm64 number of setxattr(2) and mknodat(2) for perl. */
const SETXATTR = Deno.build.arch === "aarch64" ? 5 : 188;
const setXattr = (file: string, name: string, value: string) =>
  `perl -e 'my ($f, $n, $v) = ("${file}", "${name}", ${value}); syscall(${SETXATTR}, $f, $n, $v, length $v, 0) == 0 or die $!'`;
/** cap_net_raw=ep as struct vfs_cap_data, revision 2. */
const NET_RAW = "pack('V5', 0x02000001, 1 << 13, 0, 0, 0)";

Deno.test({
  name: "NativeBuilder on Debian",
  async fn(t) {
    if (Deno.uid() !== 0) return;
    const layout = await debianBase();
    if (!layout) return;
    await withTempDir(async (dir) => {
      await using store = await LocalStore.open(`${dir}/store`);
      const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };
      await using builder = new NativeBuilder({ platform, store, parallel: 2 }, { env: Deno.env.toObject() });
      const runner = new StageRunner(builder, store);
      const base = await layoutLayers(store, layout);

      await t.step("runs bash, changes nothing with true", async () => {
        const { diffId, output } = await runner.run(base, ["true", "[[ -n $BASH_VERSION ]]"]);
        assert.equal(diffId, undefined, output);
      });

      await t.step("keeps capabilities and user attributes, skips sockets", async () => {
        const { members, image } = await runner.run(base, [
          "cp /bin/true /srv/capable; touch /srv/noted",
          setXattr("/srv/capable", "security.capability", NET_RAW),
          setXattr("/srv/noted", "user.comment", `"a\\0b"`),
          setXattr("/srv/noted", "user.empty", `""`),
          "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Listen => 1, Local => \"/srv/socket\") or die $!'; test -S /srv/socket",
        ]);
        assert.deepEqual([...members.keys()], ["srv", "srv/capable", "srv/noted"]);
        const capability = members.get("srv/capable")!.xattrs!.get("security.capability")!;
        assert.deepEqual([...capability.subarray(0, 6)], [1, 0, 0, 2, 0, 32]);
        const noted = members.get("srv/noted")!.xattrs!;
        assert.deepEqual([...noted].map(([name, value]) => [name, new TextDecoder().decode(value)]), [
          ["user.comment", "a\0b"],
          ["user.empty", ""],
        ]);
        const again = await runner.run(image, ["mv /srv/capable /srv/moved"]);
        assert.ok(again.members.get("srv/moved")!.xattrs!.has("security.capability"));
      });

      await t.step("runs setuid programs as other users", async () => {
        const ids = await runner.ask(
          base,
          "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; su -s /bin/sh nobody -c '/tmp/id -u; /usr/bin/id -u'",
        );
        assert.equal(ids, "0\n65534\n");
      });

      await t.step("keeps the host's kernel settings, clock and mounts out of reach", async () => {
        await assert.rejects(runner.run(base, ["echo 1 > /proc/sys/vm/swappiness"]), /exit status/);
        await assert.rejects(runner.run(base, ["mount -t tmpfs tmpfs /mnt"]), /exit status/);
        await assert.rejects(runner.run(base, ["date -s 2001-01-01"]), /exit status/);
        await assert.rejects(runner.run(base, ["ls /proc/1/root/"]), /exit status/);
      });

      await t.step("gives what umoci unpacks", async () => {
        const umoci = await peer("umoci");
        if (!umoci) return;
        const one = await runner.run(base, [
          "cd /srv; mkdir -p a/b c/d e; echo 1 > a/b/f; ln a/b/f a/g; echo 2 > c/d/f; ln -s ../a e/link; chmod 4755 a/g; mkfifo e/pipe",
          "rm /usr/bin/perl; rm -r /usr/share/doc; mkdir /usr/share/doc; touch /usr/share/doc/new; mv /opt /opt2; chown 70000:71000 /srv/c",
          "echo ünï > $'/srv/\\u00fc\\nline'; touch -d 2001-02-03T04:05:06Z /srv/e /srv/c/d/f; mknod /srv/null c 1 3",
        ]);
        const two = await runner.run(one.image, [
          "rm /srv/a/g; rm -r /srv/c; ln -s a /srv/c; rm -r /srv/e; mkdir /srv/e; echo 3 > /srv/e/f; useradd --system someone; rm /var/log/lastlog",
        ]);
        await writeLayout(`${dir}/layout`, layout, [one, two], (digest) => store.blobs.path(digest));
        await run([umoci, "unpack", "--image", `${dir}/layout:out`, `${dir}/bundle`]);
        const list =
          `cd ROOT && find . -xdev ! -path './dev/*' ! -path './proc/*' ! -path './sys/*' ! -path ./dev ! -path ./proc ! -path ./sys ! -path . ` +
          `! -path './etc/hosts' ! -path ./etc/resolv.conf -printf '%y %m %U %G %s %T@ %p -> %l\\0' | sed -z 's/^d \\([0-9]* [0-9]* [0-9]*\\) [0-9]* /d \\1 - /' | LC_ALL=C sort -z | tr '\\0\\n' '\\n?'`;
        const theirs = (await run(["sh", "-c", list.replace("ROOT", `${dir}/bundle/rootfs`)])).stdout.split(
          "\n",
        );
        const ours = (await runner.ask(two.image, list.replace("ROOT", "/"))).split("\n");
        assert.ok(ours.length > 3000);
        assert.deepEqual(ours.filter((row) => !theirs.includes(row)), []);
        assert.deepEqual(theirs.filter((row) => !ours.includes(row)), []);
      });
    });
  },
});

/** The base with further layers, as an OCI layout with the tag `out`. */
async function writeLayout(
  layout: string,
  base: string,
  added: readonly Ran[],
  blobPath: (digest: never) => string,
) {
  await run(["cp", "-r", base, layout]);
  const blobs = `${layout}/blobs/sha256`;
  const read = async (digest: string) => JSON.parse(await Deno.readTextFile(`${blobs}/${digest.slice(7)}`));
  const write = async (value: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const hex = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    await Deno.writeFile(`${blobs}/${hex}`, bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const index = JSON.parse(await Deno.readTextFile(`${layout}/index.json`));
  const manifest = await read(index.manifests[0].digest);
  const config = await read(manifest.config.digest) as ImageConfig & {
    rootfs: { diff_ids: string[] };
    history: unknown[];
  };
  for (const { digest, diffId } of added) {
    const file = blobPath(digest as never);
    await Deno.copyFile(file, `${blobs}/${digest!.slice(7)}`);
    manifest.layers.push({
      mediaType: manifest.layers[0].mediaType,
      digest,
      size: (await Deno.stat(file)).size,
    });
    config.rootfs.diff_ids.push(diffId!);
    config.history.push({ created_by: "test" });
  }
  manifest.config = { ...manifest.config, ...await write(config) };
  index.manifests = [{
    ...index.manifests[0],
    ...await write(manifest),
    annotations: { "org.opencontainers.image.ref.name": "out" },
  }];
  await Deno.writeTextFile(`${layout}/index.json`, JSON.stringify(index));
}
