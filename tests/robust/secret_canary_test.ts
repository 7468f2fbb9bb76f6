/** Secrets with values that occur nowhere else: after everything that a build does, nothing that it wrote holds one. */
import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const VALUES = { env: "CANARY-env-73b1", file: "CANARY-file-0c44", variable: "CANARY-var-9e02" };
const canary = new RegExp(
  Object.values(VALUES).flatMap((value) => [value, btoa(value).replace(/=+$/, ""), value.slice(0, 9)]).join(
    "|",
  ),
);

const dappfile = (base: string, sync: string, install: string) => `
project: p
---
dimg: app
from: oci:${base}:latest
secrets:
  - { id: one, env: CANARY_ENV }
  - { id: two, file: ./two.txt, target: /root/two }
  - { id: three, env: CANARY_VAR, as: THREE }
ssh: default
mount: [{ to: /sync, fromPath: ${sync} }]
shell:
  beforeInstall: [test ! -e /kept && echo kept >/kept]
  install: ${install}
docker: { CMD: [cat, /kept] }
`;

Deno.test("no value of a secret is in a layer, a record, a log, an event, a registry or another process", async () => {
  const base = await busyboxBase();
  await withProject({}, async (project) => {
    const dir = project.dir.slice(0, project.dir.lastIndexOf("/"));
    const sync = `${dir}/sync`;
    await Deno.mkdir(sync);
    await run(["mkfifo", `${sync}/ready`, `${sync}/go`]);
    await Deno.mkdir(`${dir}/secret`);
    await Deno.writeTextFile(`${dir}/secret/two`, `${VALUES.file}\n`);
    using _agent = Deno.listen({ transport: "unix", path: `${dir}/agent` });
    const env = {
      DAPP_HOME: project.home,
      CANARY_ENV: VALUES.env,
      CANARY_VAR: VALUES.variable,
      SSH_AUTH_SOCK: `${dir}/agent`,
    };
    const written: string[] = [];
    const dapp = async (args: readonly string[], more: Record<string, string> = {}, allowFailure = false) => {
      const argv = [
        Deno.execPath(),
        "run",
        "-A",
        CLI,
        ...args.slice(0, 2),
        "-C",
        project.dir,
        ...args.slice(2),
      ];
      const { stdout, stderr } = await run(argv, { env: { ...env, ...more }, allowFailure });
      written.push(stdout, stderr);
      return stdout + stderr;
    };
    const commit = async (install: string) => {
      await project.write({ "dappfile.yaml": dappfile(base, sync, install) });
      await project.commit();
    };
    const two = `--secret=two=${dir}/secret/two`;

    await commit(`
    - echo waiting >/sync/ready; cat /sync/go >/dev/null
    - cat /run/secrets/one; echo; cat /root/two; echo "$THREE"; echo "$THREE" | base64; env; cat /proc/self/environ
    - for part in CANARY -env -73b1; do printf %s $part; done; echo
    - test -S "$SSH_AUTH_SOCK"; grep -h . /run/secrets/one /root/two >&2`);
    const building = dapp(["dimg", "bp", `oci:${dir}/repo`, "--with-stages", "-v", "--tag=t", two]);
    const early = building.catch((error) => error);
    await Promise.race([Deno.readTextFile(`${sync}/ready`), early]);
    const seen = await processesWith(canary, CLI);
    await Promise.race([Deno.writeTextFile(`${sync}/go`, "x"), early]);
    const log = await building;
    assert.match(log, /\*\*\*/);
    // dapp itself was started with them, and the commands are meant to have the variable
    assert.deepEqual(seen.filter((what) => !/^(dapp environ|(ba)?sh environ|cat environ)$/.test(what)), []);
    assert.ok(seen.includes("dapp environ"), seen.join("\n"));

    for (
      const args of [
        ["dimg", "build", "--json=events", two],
        ["dimg", "plan", "--json"],
        ["dimg", "explain", "--json"],
        ["dimg", "export", "app", `oci:${dir}/out`],
        ["dimg", "run", "app", "--", "sh", "-c", "ls -a /run/secrets /root/two; env; cat /kept"],
      ]
    ) await dapp(args, {}, args.includes("run"));
    assert.match(written.at(-2)!, /^kept$/m);

    await commit(`["cat /run/secrets/one; cat /nonexistent-$THREE; false"]`);
    await dapp(["dimg", "build", "-v", two], {}, true);
    await dapp(["dimg", "build", "--json=events", two], {}, true);
    await dapp(["dimg", "build", "--json", two], {}, true);
    assert.match(written.join("\n"), /cannot|can't open '\/nonexistent-\*\*\*'/);

    for (const text of written) assert.doesNotMatch(text, canary);
    for (const place of [project.home, `${dir}/repo`, `${dir}/out`]) {
      assert.deepEqual(await filesWith(canary, place), [], place);
    }
  });
});

/** `NAME cmdline` or `NAME environ` for each process, started by `main` or below it, that holds a value. */
async function processesWith(pattern: RegExp, main: string): Promise<string[]> {
  const processes = new Map<string, { parent: string; name: string; cmdline: string; environ: string }>();
  for await (const { name: pid } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const read = (file: string) => Deno.readTextFile(`/proc/${pid}/${file}`).catch(() => "");
    const [stat, cmdline, environ] = await Promise.all([read("stat"), read("cmdline"), read("environ")]);
    const [, name = "", parent = ""] = /^\d+ \((.*)\) \S (\d+)/s.exec(stat) ?? [];
    processes.set(pid, { parent, name, cmdline, environ });
  }
  const roots = [...processes].filter(([, { cmdline }]) => cmdline.includes(main)).map(([pid]) => pid);
  const below = (pid: string): boolean => {
    const parent = processes.get(pid)?.parent;
    return roots.includes(pid) || (parent !== undefined && parent !== "0" && below(parent));
  };
  const found = new Set<string>();
  for (const [pid, { name, cmdline, environ }] of processes) {
    if (!below(pid)) continue;
    const title = roots.includes(pid) ? "dapp" : name;
    if (pattern.test(cmdline)) found.add(`${title} cmdline`);
    if (pattern.test(environ)) found.add(`${title} environ`);
  }
  return [...found];
}

/** Files that hold a value, as they are or unpacked. */
async function filesWith(pattern: RegExp, dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) found.push(...await filesWith(pattern, path));
    if (pattern.test(name)) found.push(`${path} (name)`);
    if (!isFile) continue;
    const bytes = await Deno.readFile(path);
    const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const text = new TextDecoder("latin1").decode(bytes) + (gzip ? await unpacked(bytes) : "");
    if (pattern.test(text)) found.push(path);
  }
  return found;
}

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new TextDecoder("latin1").decode(await new Response(stream).arrayBuffer());
}
