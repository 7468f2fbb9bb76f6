/** Secrets and ssh agents, for builders that offer them. */
import assert from "node:assert/strict";
import { assertMembers, type Cases, offers } from "./cases.ts";

const values: Readonly<Record<string, string>> = {
  npm: "CANARY-npm-value",
  key: "CANARY-key\nsecond line\n",
};
const secret = (id: string) => new TextEncoder().encode(values[id]);

export const secretCases: Cases = {
  "shows secrets as files of mode 0400 in memory, and keeps nothing of them": async (
    { runner, base, builder },
  ) => {
    if (!offers(builder, "secret")) return;
    const mounts = [
      { kind: "secret", id: "npm", target: "/run/secrets/npm" },
      { kind: "secret", id: "key", target: "/root/.config/deep/key" },
      { kind: "secret", id: "npm", target: "/etc/passwd" },
    ] as const;
    const { members, output } = await runner.run(base, [
      "test $(stat -c %a:%u:%g /run/secrets/npm) = 400:0:0 && test $(stat -c %a /root/.config/deep/key) = 400",
      "cat /run/secrets/npm | tr A-Z a-z; wc -l </root/.config/deep/key; wc -c </etc/passwd",
      "grep ' /run/secrets/npm ' /proc/mounts | cut -d' ' -f3",
      "! echo x 2>/dev/null >/run/secrets/npm; ! rm /run/secrets/npm 2>/dev/null; ! su nobody -s /bin/sh -c 'cat /run/secrets/npm' 2>/dev/null",
      "echo kept >/kept",
    ], { mounts, secret });
    assert.match(output, /\ncanary-npm-value2\n16\n/);
    assert.match(output, /\ntmpfs\n/);
    assertMembers(members, ["file kept"]);
    const { diffId } = await runner.run(base, ["ls /run/secrets/npm /root/.config/deep/key"], {
      mounts,
      secret,
    });
    assert.equal(diffId, undefined);
    assert.equal(
      await runner.ask(base, "ls -a /run /root 2>/dev/null | grep -c 'secrets\\|config' || :"),
      "0\n",
    );
    assert.equal(await runner.ask(base, "grep -c ^root: /etc/passwd"), "1\n");
  },

  "shows secrets as variables of the step that has them": async ({ runner, base, builder }) => {
    if (!offers(builder, "secret")) return;
    const options = {
      secretEnv: { NPM_TOKEN: "npm", HOME: "key" },
      env: { HOME: "/x", PATH: "/bin" },
      secret,
    };
    const length = await runner.ask(base, 'echo ${#NPM_TOKEN} "$HOME" | tr A-Z a-z', options);
    assert.equal(length, "16 canary-key\nsecond line\n\n");
    assert.equal(await runner.ask(base, 'echo "[$NPM_TOKEN]"; ls /dev/.dapp | grep -c init || :'), "[]\n0\n");
  },

  "shows the socket of an ssh agent": async ({ runner, base, builder }) => {
    if (!offers(builder, "ssh")) return;
    const dir = await Deno.makeTempDir();
    try {
      using _agent = Deno.listen({ transport: "unix", path: `${dir}/agent` });
      const { diffId } = await runner.run(base, ["test -S /run/ssh-agent/default"], {
        mounts: [{ kind: "ssh", id: "default", target: "/run/ssh-agent/default" }],
        sshAgent: () => `${dir}/agent`,
      });
      assert.equal(diffId, undefined);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
};
