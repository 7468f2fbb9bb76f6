import assert from "node:assert/strict";
import { noTimes } from "../support/times.ts";
import { parseSecrets } from "../../cli/secrets.ts";
import { startSshAgent } from "../../cli/ssh_agent.ts";
import type { BuildResult } from "../../mod.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { dapp } from "./support.ts";

const result: BuildResult = {
  project: "p",
  platform: "linux/amd64",
  images: [],
  stagesBuilt: 0,
  stagesReused: 0,
  stages: [],
  times: noTimes,
};

Deno.test("--secret takes ID=FILE and what docker build takes", async (t) => {
  const good = [
    ["npm=./token", "npm", { file: "./token" }],
    ["a.b-c=x=y", "a.b-c", { file: "x=y" }],
    ["id=npm,src=/t", "npm", { file: "/t" }],
    ["id=npm,source=/t,type=file", "npm", { file: "/t" }],
    ["env=TOKEN,id=npm", "npm", { env: "TOKEN" }],
    ["type=env,id=constructor,env=TOKEN", "constructor", { env: "TOKEN" }],
  ] as const;
  for (const [text, id, source] of good) {
    await t.step(text, () => assert.deepEqual(Object.entries(parseSecrets([text], "x")), [[id, source]]));
  }
  for (
    const text of [
      "npm",
      "=x",
      "npm=",
      "id=npm",
      "id=npm,src=a,env=B",
      "src=a",
      "id=npm,src=a,mode=1",
      "a b=c",
    ]
  ) {
    await t.step(`${text} is wrong`, () => {
      assert.throws(() => parseSecrets([text], "x"), { code: "USAGE", message: /wanted is ID=FILE/ });
    });
  }
});

Deno.test("startSshAgent() serves the keys it is given, whatever their mode, and leaves nothing behind", async () => {
  if (!await peer("ssh-agent")) return;
  await withTempDir(async (dir) => {
    for (const name of ["one", "two"]) {
      await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", `${dir}/${name}`]);
    }
    await Deno.chmod(`${dir}/two`, 0o644);
    let socket: string;
    {
      await using agent = await startSshAgent([`${dir}/one`, `${dir}/two`]);
      socket = agent.socket;
      const { stdout } = await run(["ssh-add", "-l"], { env: { SSH_AUTH_SOCK: socket } });
      assert.equal(stdout.trim().split("\n").length, 2);
      assert.equal((await Deno.stat(socket.slice(0, socket.lastIndexOf("/")))).mode! & 0o777, 0o700);
    }
    await assert.rejects(Deno.lstat(socket), Deno.errors.NotFound);
    await Deno.writeTextFile(`${dir}/none`, "no key\n");
    await assert.rejects(startSshAgent([`${dir}/none`]), {
      code: "SECRET_UNAVAILABLE",
      message: /none": ssh-add says/,
    });
    await assert.rejects(startSshAgent([`${dir}/absent`]), { message: /absent": the file does not exist/ });
  });
});

Deno.test("--ssh-key gives the engine an agent of its own, which ends after it", async () => {
  const { lent, engines, code } = await dapp(["dimg", "build", "--ssh-key", "a", "--ssh-key=b"], {
    env: { SSH_AUTH_SOCK: "/old" },
    engine: () => ({ build: () => Promise.resolve(result) }),
  });
  assert.equal(code, 0);
  assert.equal(engines[0]?.env?.SSH_AUTH_SOCK, "/agent");
  assert.deepEqual(lent, ["keys a b", "agent stopped"]);
});

Deno.test("--secret reaches the engine", async () => {
  const { engines } = await dapp(["dimg", "build", "--secret", "npm=./t", "--secret=id=k,env=K"], {
    engine: () => ({ build: () => Promise.resolve(result) }),
  });
  assert.deepEqual({ ...engines[0]?.secrets }, { npm: { file: "./t" }, k: { env: "K" } });
});
