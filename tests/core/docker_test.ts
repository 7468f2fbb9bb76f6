import assert from "node:assert/strict";
import { applyInstructions } from "../../core/docker.ts";

const base = {
  Env: ["PATH=/usr/bin", "LANG=C"],
  Cmd: ["base"],
  Labels: { b: "1" },
  ExposedPorts: { "80/tcp": {} },
  WorkingDir: "/w",
  User: "app",
} as const;

Deno.test("applyInstructions() does what the Dockerfile instruction of that name does", async (t) => {
  const cases: [string, Parameters<typeof applyInstructions>[1], Record<string, unknown>][] = [
    ["nothing", {}, {}],
    ["CMD replaces", { CMD: ["a", "b"] }, { Cmd: ["a", "b"] }],
    ["ENTRYPOINT drops an inherited CMD", { ENTRYPOINT: ["e"] }, { Entrypoint: ["e"], Cmd: undefined }],
    ["ENTRYPOINT with CMD keeps it", { ENTRYPOINT: ["e"], CMD: ["c"] }, { Entrypoint: ["e"], Cmd: ["c"] }],
    ["ENV merges by name, in place", { ENV: { LANG: "de", A: "1" } }, {
      Env: ["PATH=/usr/bin", "LANG=de", "A=1"],
    }],
    ["ENV expands the environment before it", {
      ENV: { PATH: "/app:$PATH", X: "${NONE:-d}${LANG:+set}\\$A" },
    }, {
      Env: ["PATH=/app:/usr/bin", "LANG=C", "X=dset$A"],
    }],
    ["LABEL merges and sorts", { LABEL: { a: "2" } }, { Labels: { a: "2", b: "1" } }],
    ["EXPOSE adds", { EXPOSE: ["8080/tcp"] }, { ExposedPorts: { "80/tcp": {}, "8080/tcp": {} } }],
    ["VOLUME adds", { VOLUME: ["/data"] }, { Volumes: { "/data": {} } }],
    ["WORKDIR sees the new ENV", { ENV: { HOME: "/srv" }, WORKDIR: "$HOME/app" }, {
      Env: ["PATH=/usr/bin", "LANG=C", "HOME=/srv"],
      WorkingDir: "/srv/app",
    }],
    ["USER and STOPSIGNAL", { USER: "0:0", STOPSIGNAL: "SIGINT" }, { User: "0:0", StopSignal: "SIGINT" }],
    ["ONBUILD adds", { ONBUILD: ["RUN x"] }, { OnBuild: ["RUN x"] }],
  ];
  for (const [name, docker, changed] of cases) {
    await t.step(name, () => {
      const wanted = Object.fromEntries(
        Object.entries({ ...base, ...changed }).filter(([, v]) => v !== undefined),
      );
      assert.deepEqual(applyInstructions(base, docker), wanted);
    });
  }
});
