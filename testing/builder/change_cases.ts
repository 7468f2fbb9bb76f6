/** What of a step's changes gets into its layer. */
import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { assertMembers, type Cases, offers } from "./cases.ts";
import { EPOCH } from "./stage_runner.ts";

/** Every way in which files change. */
export const changeCases: Cases = {
  "writes new files with their parents and leaves everything else out": async ({ runner, base }) => {
    const { members } = await runner.run(base, [
      "mkdir -p /srv/a/b; echo hi > /srv/a/b/f; echo more >> /etc/passwd",
    ]);
    assertMembers(members, [
      "dir etc",
      "file etc/passwd",
      "dir srv",
      "dir srv/a",
      "dir srv/a/b",
      "file srv/a/b/f",
    ]);
    assert.equal(members.get("srv/a/b/f")!.content, "hi\n");
    for (const { uid, gid } of members.values()) assert.deepEqual([uid, gid], [0, 0]);
  },

  "leaves out files that were only opened, moved away and back, or rewritten alike": async (
    { runner, base },
  ) => {
    const { diffId } = await runner.run(base, [
      "exec 3<>/etc/passwd; exec 3>&-",
      "mv /etc/group /etc/g; mv /etc/g /etc/group",
      "cp -p /etc/passwd /tmp/p; cat /tmp/p > /etc/passwd; touch -r /tmp/p /etc/passwd; rm /tmp/p",
      "chmod 755 /etc; chown 0:0 /bin/sh",
    ]);
    assert.equal(diffId, undefined);
  },

  "records deletions as whiteouts": async ({ runner, base }) => {
    const first = await runner.run(base, ["mkdir -p /d/e /keep; touch /d/e/f /keep/a /keep/b"]);
    const second = await runner.run(first.image, ["rm -r /d; rm /keep/a; touch /keep/new; rm /keep/new"]);
    assertMembers(second.members, ["file .wh.d", "dir keep", "file keep/.wh.a"]);
    assert.equal(
      await runner.ask(second.image, "ls /; ls -A /keep", {}),
      [
        ...["bin", "dev", "etc", "home", "keep", "proc", "root", "sys", "tmp", "usr", "var", "b", ""],
      ].join("\n"),
    );
  },

  "deletes by name what was in a directory that was removed and made again": async ({ runner, base }) => {
    const first = await runner.run(base, ["mkdir -p /d/e; touch /d/e/f /d/old"]);
    const second = await runner.run(first.image, ["rm -r /d; mkdir -p /d/e; touch /d/e/g"]);
    assertMembers(second.members, ["dir d", "dir d/e", "file d/e/.wh.f", "file d/e/g", "file d/.wh.old"]);
    assert.equal(await runner.ask(second.image, "find /d"), "/d\n/d/e\n/d/e/g\n");
    const third = await runner.run(second.image, ["rm -r /d; mkdir /d"]);
    assertMembers(third.members, ["dir d", "file d/.wh.e"]);
    assert.equal(await runner.ask(third.image, "ls -A /d; mkdir /d/e && ls -A /d/e"), "");
  },

  "replaces directories by files, links and the reverse": async ({ runner, base }) => {
    const first = await runner.run(base, [
      "mkdir -p /a/x /b/x; echo c > /c; ln -s nowhere /l; touch /a/x/1 /b/x/1",
    ]);
    const second = await runner.run(first.image, [
      "rm -r /a; echo file > /a",
      "rm -r /b; ln -s /etc /b",
      "rm /c; mkdir /c; echo in > /c/in",
      "rm /l; mkdir /l",
    ]);
    assertMembers(second.members, ["file a", "symlink b", "dir c", "file c/in", "dir l"]);
    assert.equal(
      await runner.ask(second.image, "cat /a; readlink /b; cat /c/in; ls -A /l"),
      "file\n/etc\nin\n",
    );
  },

  "keeps hard links inside a layer": async ({ runner, base }) => {
    const first = await runner.run(base, [
      "mkdir /h; echo 1 > /h/c; ln /h/c /h/a; ln /h/c /h/b; ln -s x /h/s; ln /h/s /h/t",
    ]);
    assertMembers(first.members, [
      "dir h",
      "file h/a",
      "hardlink h/b",
      "hardlink h/c",
      "symlink h/s",
      "hardlink h/t",
    ]);
    assert.equal(first.members.get("h/c")!.link, "h/a");
    const second = await runner.run(first.image, ["rm /h/a; echo 2 > /h/b"]);
    assertMembers(second.members, ["dir h", "file h/.wh.a", "file h/b"]);
    assert.equal(await runner.ask(second.image, "cat /h/b /h/c"), "2\n1\n");
  },

  "keeps modes, owners, pipes and devices": async ({ runner, base, rootless }) => {
    const uid = rootless ? 60000 : 70000;
    const gid = rootless ? 60001 : 3_000_000;
    const { members, image } = await runner.run(base, [
      "mkdir /m; cd /m; touch su sg ro owned; chmod 4755 su; chmod 2755 sg; chmod 0 ro",
      `chown ${uid}:${gid} owned; chown ${uid} su; chmod 4711 su; mkdir st; chmod 3770 st; mkfifo -m 600 pipe`,
      `ln -s x l; chown -h ${uid} l`,
      ...(rootless ? [] : ["mknod -m 640 c c 1 3; mknod -m 600 b b 7 300"]),
    ]);
    const mode = (path: string) => members.get(path)!.mode.toString(8);
    assert.deepEqual(["m/su", "m/sg", "m/ro", "m/st", "m/pipe"].map(mode), [
      "4711",
      "2755",
      "0",
      "3770",
      "600",
    ]);
    assert.deepEqual([members.get("m/owned")!.uid, members.get("m/owned")!.gid, members.get("m/l")!.uid], [
      uid,
      gid,
      uid,
    ]);
    assert.equal(members.get("m/pipe")!.type, "fifo");
    if (!rootless) {
      const { type, major, minor } = members.get("m/b")!;
      assert.deepEqual([type, major, minor], ["block", 7, 300]);
      assert.equal(members.get("m/c")!.type, "char");
    }
    assert.equal(await runner.ask(image, "stat -c '%a %u %g' /m/su /m/st"), `4711 ${uid} 0\n3770 0 0\n`);
  },

  "records a change of mode or owner of a directory, and of / itself": async ({ runner, base }) => {
    const { members, image } = await runner.run(base, ["chmod 700 /home; chmod 750 /"]);
    assert.equal(members.get("home")!.mode, 0o700);
    assert.equal(members.get("")!.mode, 0o750);
    assert.equal(await runner.ask(image, "stat -c %a / /home"), "750\n700\n");
    const next = await runner.run(image, ["true"]);
    assert.equal(next.diffId, undefined);
  },

  "keeps long, deep and odd names": async ({ runner, base }) => {
    const long = "n".repeat(250);
    const deep = Array.from({ length: 30 }, (_, i) => `${"d".repeat(60)}${i}`).join("/");
    const odd = [
      "new\nline",
      `quo"te's`,
      "ünïcödé-日本-😀",
      "-dash",
      " blank ",
      "back\\slash",
      "a\tb",
      "*?[x]",
      "\u{fffd}",
    ];
    const quote = (name: string) => `'${name.replaceAll("'", `'\\''`)}'`;
    const { members, image } = await runner.run(base, [
      `mkdir -p /n; cd /n; echo long > ${long}; mkdir -p ${deep}; echo deep > ${deep}/f; ln -s ${deep} link`,
      ...odd.map((name) => `echo odd > ./${quote(name)}`),
    ]);
    assert.equal(members.get(`n/${long}`)!.content, "long\n");
    assert.equal(members.get(`n/${deep}/f`)!.content, "deep\n");
    assert.equal(members.get("n/link")!.link, deep);
    for (const name of odd) assert.equal(members.get(`n/${name}`)?.content, "odd\n", name);
    const removed = await runner.run(image, [
      `cd /n; rm ${long} ${odd.map((n) => `./${quote(n)}`).join(" ")}`,
    ]);
    assert.equal(removed.members.size, odd.length + 2);
    assert.ok(removed.members.has(`n/.wh.${long}`));
  },

  "fails naming the directory when a name is not UTF-8": async ({ runner, base }) => {
    await assert.rejects(
      runner.run(base, ["mkdir -p /srv/odd; touch \"/srv/odd/$(printf '\\377')\""]),
      (error: unknown) => error instanceof EngineError && /"\/srv\/odd".*not valid UTF-8/.test(error.message),
    );
  },

  "fails when a name looks like a whiteout": async ({ runner, base }) => {
    await assert.rejects(runner.run(base, ["touch /srv.wh. /.wh.x"]), /"\/\.wh\.x"/);
  },

  "clamps modification times to the epoch": async ({ runner, base }) => {
    const { members, image } = await runner.run(base, [
      "mkdir /t; cd /t; touch now; touch -d '1990-01-02 00:00:00' old; touch -d '2033-01-02 00:00:00' future; ln -s a l",
    ]);
    const mtime = (path: string) => members.get(path)!.mtime;
    assert.deepEqual(["t", "t/now", "t/future", "t/l"].map(mtime), [EPOCH, EPOCH, EPOCH, EPOCH]);
    assert.equal(mtime("t/old"), 631238400);
    assert.equal(await runner.ask(image, "stat -c %Y /t/now /t/old"), `${EPOCH}\n631238400\n`);
  },

  "sets files of this step to an epoch that lies in the future": async ({ runner, base }) => {
    const epoch = 4_000_000_000;
    const { members } = await runner.run(base, ["touch /now; touch -d '1990-01-02 00:00:00' /old"], {
      epoch,
    });
    assert.equal(members.get("now")!.mtime, epoch);
    assert.equal(members.get("old")!.mtime, 631238400);
  },

  "gives equal bytes for equal commands": async ({ runner, base }) => {
    const commands = [
      "mkdir /r; cd /r; for i in 3 1 2; do echo $i > $i; done; ln 1 one; rm -r /home; chmod 700 /root",
    ];
    const one = await runner.run(base, commands);
    const two = await runner.run(base, [...commands].map((c) => `sleep 0; ${c}`));
    assert.equal(one.digest, two.digest);
    assert.notEqual(one.digest, undefined);
  },

  "keeps sparse files and uses little space for them": async ({ runner, base }) => {
    const { members, image } = await runner.run(base, ["truncate -s 256M /big; printf end >> /big"], {
      compression: { kind: "zstd", level: 1 },
    });
    assert.equal(members.get("big")!.size, 2 ** 28 + 3);
    assert.equal(await runner.ask(image, "stat -c %s /big; tail -c 3 /big"), `${2 ** 28 + 3}\nend`);
  },

  "keeps caches between steps, and leaves them and temporary directories out": async ({ runner, base }) => {
    const mounts = [
      { kind: "cache", project: "case", name: crypto.randomUUID(), target: "/var/cache/new/deep" },
      { kind: "tmp", target: "/home" },
    ] as const;
    const first = await runner.run(base, ["echo kept >/var/cache/new/deep/out; echo x >/home/x"], { mounts });
    assert.equal(first.diffId, undefined, [...first.members.keys()].join(" "));
    assert.equal(await runner.ask(base, "cat /var/cache/new/deep/out; ls /home", { mounts }), "kept\nx\n");
    const second = await runner.run(base, ["touch /var/cache/own; chmod 711 /var/cache"], { mounts });
    assertMembers(second.members, ["dir var", "dir var/cache", "file var/cache/own"]);
  },

  "has directories in memory of the size that is asked for, and leaves them out": async (
    { runner, base, builder },
  ) => {
    if (!offers(builder, "memory")) return;
    const mounts = [
      { kind: "memory", target: "/dev/shm", size: 1 << 20 },
      { kind: "memory", target: "/var/new/deep", size: 96 << 20 },
    ] as const;
    const { output, diffId, members } = await runner.run(base, [
      "for d in /dev/shm /var/new/deep; do df -k $d | awk 'NR==2 {print $2, $6}'; echo x >$d/x; done",
      "! head -c 2000000 /dev/zero 2>/dev/null >/dev/shm/y",
    ], { mounts });
    assert.match(output, /^1024 \/dev\/shm\n98304 \/var\/new\/deep$/m);
    assert.equal(diffId, undefined, [...members.keys()].join(" "));
    assert.equal(
      await runner.ask(base, "ls /dev/shm /var/new/deep | grep x || echo none", { mounts }),
      "none\n",
    );
  },

  "leaves mounts of this machine out, and what was made to mount them": async ({ runner, base, builder }) => {
    if (!offers(builder, "host")) return;
    const dir = await Deno.makeTempDir();
    await Deno.chmod(dir, 0o777);
    await Deno.writeTextFile(`${dir}/given`, "given");
    try {
      const mounts = [
        { kind: "host" as const, source: dir, target: "/var/cache/new/deep", readOnly: false },
        { kind: "host" as const, source: dir, target: "/home", readOnly: true },
        { kind: "host" as const, source: `${dir}/given`, target: "/etc/given", readOnly: true },
      ];
      const first = await runner.run(base, [
        "cat /var/cache/new/deep/given /home/given /etc/given > /dev/null; echo out > /var/cache/new/deep/out",
        "! touch /home/x 2>/dev/null; touch /etc/resolv.conf /etc/hosts; echo x >> /etc/resolv.conf",
      ], { mounts });
      assert.equal(first.diffId, undefined, [...first.members.keys()].join(" "));
      assert.equal(await Deno.readTextFile(`${dir}/out`), "out\n");
      const second = await runner.run(base, ["touch /var/cache/own; chmod 711 /var/cache"], { mounts });
      assertMembers(second.members, ["dir var", "dir var/cache", "file var/cache/own"]);
      await assert.rejects(
        runner.run(base, ["true"], {
          mounts: [{ kind: "host" as const, source: `${dir}/none`, target: "/x", readOnly: true }],
        }),
        /none" on "\/x": it does not exist/,
      );
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },

  "mounts files and sockets, and what lies below another mount, in any order": async (
    { runner, base, builder },
  ) => {
    if (!offers(builder, "host")) return;
    const dir = await Deno.makeTempDir();
    try {
      for (const name of ["outer", "inner"]) await Deno.mkdir(`${dir}/${name}`);
      for (const name of ["outer/o", "inner/i", "file"]) await Deno.writeTextFile(`${dir}/${name}`, "x");
      using _socket = Deno.listen({ transport: "unix", path: `${dir}/socket` });
      const mounts = [
        { kind: "host" as const, source: `${dir}/inner`, target: "/c/sub/deep", readOnly: false },
        { kind: "host" as const, source: `${dir}/file`, target: "/c/sub/deep/f", readOnly: true },
        { kind: "host" as const, source: `${dir}/socket`, target: "/run/s", readOnly: false },
        { kind: "host" as const, source: `${dir}/outer`, target: "/c", readOnly: false },
      ];
      const { diffId } = await runner.run(base, [
        "test -e /c/o && test -e /c/sub/deep/i && test -f /c/sub/deep/f && test -S /run/s",
      ], { mounts });
      assert.equal(diffId, undefined);
      const locked = [{ ...mounts[3]!, readOnly: true }, { ...mounts[0]!, target: "/c/none/x" }];
      await assert.rejects(
        runner.run(base, ["true"], { mounts: locked }),
        /cannot mount on "\/c\/none\/x": its mount point cannot be made in the mount around it/,
      );
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
};
