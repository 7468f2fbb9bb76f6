/** Daemons that die at each moment of what they do for a step: another one does it, and the result is right. */
import assert from "node:assert/strict";
import { build, pushBusybox, twin } from "../support/attacked_build.ts";
import { type Buildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { type Gate, isDaemon, startGatedRegistry } from "../support/gated_registry.ts";
import { hasPort } from "../support/proc.ts";
import { withProject } from "../support/project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** What a registry is asked at each moment; the path of REPO is shop, that of the base is base. */
const MOMENTS: Readonly<Record<string, (ran: boolean, ...request: Parameters<Gate>) => boolean>> = {
  "while it pulls the base": (_, request, { pathname }) =>
    isDaemon(request) && pathname.startsWith("/v2/base/blobs/"),
  // The command itself asks.
  "in the command": (_, __, { pathname }) => pathname === "/v2/running",
  "while it pushes the layer": (ran, request, { pathname }) =>
    ran && isDaemon(request) && request.method !== "GET" && pathname.includes("/blobs/uploads/"),
  "before its layer is looked into": (ran, request, { pathname }) =>
    ran && !isDaemon(request) && request.method === "GET" && pathname.includes("/manifests/sha256:"),
};

/** A command that tells the registry that it runs, and writes what is looked into elsewhere for its size. */
const command = (host: string) =>
  `wget -q -O /dev/null http://${host}/v2/running || :; head -c 20000 /dev/urandom >/one`;

const documents = (base: string, host: string): Readonly<Record<string, string>> => ({
  "a step": `from: ${base}\nshell: { install: ["${command(host)}"] }\n`,
  "a Dockerfile": "dockerfile: Dockerfile\n",
});

for (const [moment, isIt] of Object.entries(MOMENTS)) {
  Deno.test(`a daemon that dies ${moment} is replaced by another one`, async (t) => {
    for (const what of Object.keys(documents("", ""))) {
      await t.step(what, async () => {
        await using registry = await startGatedRegistry();
        await using one = await startBuildkitd();
        await using two = await startBuildkitd();
        if (!registry || !one || !two) return;
        const { host } = registry;
        const base = await pushBusybox(host);
        const files = {
          "dappfile.yaml": `dimg: app\n${documents(base, host)[what]}`,
          "Dockerfile": `FROM ${base}\nRUN ${command(host)}\n`,
        };
        await withProject(files, async (project) => {
          const daemons = [one, two];
          let [ran, killed] = [false, undefined as Buildkitd | undefined];
          registry.gate((request, url, port) => {
            ran ||= url.pathname === "/v2/running";
            if (killed || !isIt(ran, request, url, port)) return;
            const addresses = project.events.flatMap((e) =>
              e.type === "stage.placed" ? [e.place.address] : []
            );
            killed = daemons.find(({ pid }) => hasPort(pid, port)) ??
              daemons.find(({ address }) => address === addresses.at(-1))!;
            Deno.kill(killed.pid, "SIGKILL");
          });
          const repo = `${host}/shop`;
          const env = { BUILDKIT_HOST: daemons.map(({ address }) => address).join(",") };
          const built = await build(project, { repo, env });
          assert.ok(killed, "no daemon was killed");
          assert.equal(built.images[0]!.state.layers.length, 2);
          const stage = built.stages.find(({ stage }) => stage === "install" || stage === "dockerfile")!;
          assert.ok(stage.builtBy?.address && stage.builtBy.address !== killed.address);
          await verifyRegistry(host, "shop");
          const taken = await build(twin(project), { repo });
          assert.equal(taken.stagesBuilt, 0);
          assert.equal(taken.images[0]!.digest, built.images[0]!.digest);
        });
      });
    }
  });
}
