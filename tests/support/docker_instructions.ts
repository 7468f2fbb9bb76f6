/**
 * Docker instructions with what the real thing made of them: `docker build` of Docker 20.10 with
 * BuildKit.
 * `tests/peers/docker_instructions_test.ts` asks again wherever a daemon can be started.
 */
import type { DockerInstructions } from "../../core/contract/config.ts";
import type { ContainerConfig } from "../../lib/oci/types.ts";

export const REFUSED = "refused";

export interface InstructionCase {
  readonly name: string;
  readonly docker: DockerInstructions;
  /** Members of the configuration that differ from the base; undefined = absent or empty. */
  readonly want: { readonly [K in keyof ContainerConfig]?: ContainerConfig[K] | undefined } | typeof REFUSED;
  /** What Docker does where dapp does not follow it: it takes what cannot be meant, and later versions clean paths. */
  readonly theirs?: InstructionCase["want"];
  /** Not known to Docker 20.10. */
  readonly never?: true;
}

/** What all cases stand on. */
export const instructionBase: ContainerConfig = {
  Env: [
    "PATH=/base",
    "A=1",
    "HOST=db",
    "EMPTY=",
    "PORT=8080",
    "RANGE=8000-8002",
    "LIST=80 53/udp",
    "DIR=/srv",
  ],
  Entrypoint: ["/ep"],
  Cmd: ["c1"],
  Shell: ["/bin/bash", "-o", "pipefail", "-c"],
  Labels: { l: "base" },
  ExposedPorts: { "1/tcp": {} },
  Volumes: { "/v": {} },
  WorkingDir: "/w",
  User: "1:1",
  StopSignal: "SIGINT",
  Healthcheck: { Test: ["CMD", "x"], Interval: 5e9 },
};

const env = (...rows: string[]) => [...instructionBase.Env!, ...rows];
const ports = (...names: string[]) =>
  Object.fromEntries(["1/tcp", ...names].map((name) => [name, {}] as const));
const volumes = (...names: string[]) =>
  Object.fromEntries(["/v", ...names].map((name) => [name, {}] as const));

export const instructionCases: readonly InstructionCase[] = [
  {
    name: "a new ENTRYPOINT drops CMD",
    docker: { ENTRYPOINT: ["/n"] },
    want: { Entrypoint: ["/n"], Cmd: undefined },
  },
  { name: "CMD keeps ENTRYPOINT", docker: { CMD: ["n"] }, want: { Cmd: ["n"] } },
  { name: "both", docker: { ENTRYPOINT: ["e"], CMD: ["c"] }, want: { Entrypoint: ["e"], Cmd: ["c"] } },
  {
    name: "an empty ENTRYPOINT",
    docker: { ENTRYPOINT: [] },
    want: { Entrypoint: undefined, Cmd: undefined },
  },
  { name: "an empty CMD", docker: { CMD: [] }, want: { Cmd: undefined } },
  {
    name: "texts are run by the SHELL of the base, unexpanded",
    docker: { CMD: "echo $A", ENTRYPOINT: "exec $B" },
    want: {
      Cmd: ["/bin/bash", "-o", "pipefail", "-c", "echo $A"],
      Entrypoint: ["/bin/bash", "-o", "pipefail", "-c", "exec $B"],
    },
  },
  { name: "lists are not expanded", docker: { CMD: ["$A", "${"] }, want: { Cmd: ["$A", "${"] } },
  {
    name: "ENV merges by name, in place",
    docker: { ENV: { HOST: "x", NEW: "1" } },
    want: {
      Env: [
        "PATH=/base",
        "A=1",
        "HOST=x",
        "EMPTY=",
        "PORT=8080",
        "RANGE=8000-8002",
        "LIST=80 53/udp",
        "DIR=/srv",
      ]
        .concat("NEW=1"),
    },
  },
  {
    name: "all of one ENV see the environment before it",
    docker: { ENV: { B: "$A", C: "[$B]", D: "${EMPTY:-d}${A:+a}${NOPE:+n}" } },
    want: { Env: env("B=1", "C=[]", "D=da") },
  },
  { name: "names of variables are expanded", docker: { ENV: { "X_$A": "y" } }, want: { Env: env("X_1=y") } },
  {
    name: "names that JavaScript objects have",
    docker: { ENV: Object.fromEntries([["constructor", "$toString"], ["valueOf", "${hasOwnProperty:-x}"]]) },
    want: { Env: env("constructor=", "valueOf=x") },
  },
  {
    name: "quotes, blanks and odd dollars",
    docker: { LABEL: { q: `it's "x"`, d: "cost $5", e: "$$", f: "a$", g: "\\$A", h: "a  b", i: "é $é" } },
    want: { Labels: { l: "base", q: `it's "x"`, d: "cost ", e: "", f: "a$", g: "$A", h: "a  b", i: "é " } },
  },
  {
    name: "LABEL sees the new ENV, names are expanded",
    docker: { ENV: { N: "v" }, LABEL: { "k.$A": "$N", l: "${N}2" } },
    want: { Env: env("N=v"), Labels: { l: "v2", "k.1": "v" } },
  },
  { name: "an unset variable that must be set", docker: { LABEL: { a: "${NOPE:?set it}" } }, want: REFUSED },
  { name: "an open brace", docker: { LABEL: { a: "${A" } }, want: REFUSED },
  { name: "an unknown operator", docker: { LABEL: { a: "${A=b}" } }, want: REFUSED },
  {
    name: "EXPOSE adds",
    docker: { EXPOSE: ["8080/tcp", "53/UDP", "1/tcp"] },
    want: { ExposedPorts: ports("8080/tcp", "53/udp") },
  },
  {
    name: "EXPOSE of a range",
    docker: { EXPOSE: ["7000-7002/udp"] },
    want: { ExposedPorts: ports("7000/udp", "7001/udp", "7002/udp") },
  },
  {
    name: "EXPOSE of variables",
    docker: { EXPOSE: ["$PORT", "${A}0/udp"] },
    want: { ExposedPorts: ports("8080/tcp", "10/udp") },
  },
  {
    name: "EXPOSE of a variable with a range",
    docker: { EXPOSE: ["$RANGE"] },
    want: { ExposedPorts: ports("8000/tcp", "8001/tcp", "8002/tcp") },
  },
  {
    name: "EXPOSE of a variable with several ports",
    docker: { EXPOSE: ["$LIST"] },
    want: { ExposedPorts: ports("80/tcp", "53/udp") },
  },
  { name: "EXPOSE of a word", docker: { EXPOSE: ["$HOST"] }, want: REFUSED },
  { name: "EXPOSE of too high a port", docker: { EXPOSE: ["${PORT}0"] }, want: REFUSED },
  { name: "EXPOSE of an unknown protocol", docker: { EXPOSE: ["80/$HOST"] }, want: REFUSED },
  { name: "EXPOSE of a range backwards", docker: { EXPOSE: ["$PORT-1"] }, want: REFUSED },
  {
    name: "EXPOSE of nothing",
    docker: { EXPOSE: ["$NOPE"] },
    want: REFUSED,
    theirs: { ExposedPorts: ports() },
  },
  {
    name: "EXPOSE of port 0",
    docker: { EXPOSE: ["${NOPE:-0}"] },
    want: REFUSED,
    theirs: { ExposedPorts: ports("0/tcp") },
  },
  {
    name: "VOLUME adds",
    docker: { VOLUME: ["/z", "$DIR/x", "/v"] },
    want: { Volumes: volumes("/z", "/srv/x") },
  },
  { name: "VOLUME of nothing", docker: { VOLUME: ["$NOPE"] }, want: REFUSED },
  {
    name: "VOLUME of a relative path",
    docker: { VOLUME: ["$HOST"] },
    want: REFUSED,
    theirs: { Volumes: volumes("db") },
  },
  {
    name: "WORKDIR is cleaned",
    docker: { WORKDIR: "/a//c/./" },
    want: { WorkingDir: "/a/c" },
    theirs: { WorkingDir: "/a//c/./" },
  },
  {
    name: "WORKDIR of a variable is cleaned",
    docker: { WORKDIR: "$DIR//c/" },
    want: { WorkingDir: "/srv/c" },
    theirs: { WorkingDir: "/srv//c/" },
  },
  {
    name: "WORKDIR sees the new ENV",
    docker: { ENV: { W: "/n" }, WORKDIR: "$W/x" },
    want: { Env: env("W=/n"), WorkingDir: "/n/x" },
  },
  { name: "WORKDIR of nothing", docker: { WORKDIR: "$NOPE" }, want: REFUSED, theirs: {} },
  {
    name: "WORKDIR of a relative path",
    docker: { WORKDIR: "$HOST" },
    want: REFUSED,
    theirs: { WorkingDir: "/w/db" },
  },
  {
    name: "WORKDIR upwards",
    docker: { WORKDIR: "$DIR/../x" },
    want: REFUSED,
    theirs: { WorkingDir: "/srv/../x" },
  },
  { name: "USER", docker: { USER: "0:0" }, want: { User: "0:0" } },
  { name: "USER of a variable", docker: { USER: "${HOST}:$A" }, want: { User: "db:1" } },
  { name: "USER of nothing", docker: { USER: "$NOPE" }, want: REFUSED, theirs: { User: undefined } },
  { name: "USER of two words", docker: { USER: "$LIST" }, want: REFUSED, theirs: { User: "80 53/udp" } },
  { name: "STOPSIGNAL", docker: { STOPSIGNAL: "SIGQUIT" }, want: { StopSignal: "SIGQUIT" } },
  {
    name: "STOPSIGNAL of a variable",
    docker: { ENV: { S: "SIGHUP" }, STOPSIGNAL: "$S" },
    want: { Env: env("S=SIGHUP"), StopSignal: "SIGHUP" },
  },
  { name: "STOPSIGNAL of a word", docker: { STOPSIGNAL: "$HOST" }, want: REFUSED },
  { name: "STOPSIGNAL of nothing", docker: { STOPSIGNAL: "$NOPE" }, want: REFUSED },
  {
    name: "HEALTHCHECK replaces all of the base's",
    docker: { HEALTHCHECK: { Test: ["CMD-SHELL", "ok $A"], Retries: 2 } },
    want: { Healthcheck: { Test: ["CMD-SHELL", "ok $A"], Retries: 2 } },
  },
  {
    name: "no HEALTHCHECK",
    docker: { HEALTHCHECK: { Test: ["NONE"] } },
    want: { Healthcheck: { Test: ["NONE"] } },
  },
  {
    name: "HEALTHCHECK with a start interval",
    never: true,
    docker: { HEALTHCHECK: { Test: ["CMD", "a"], StartInterval: 2e9 } },
    want: { Healthcheck: { Test: ["CMD", "a"], StartInterval: 2e9 } },
  },
  {
    name: "ONBUILD is kept as it is",
    docker: { ONBUILD: ["RUN echo $A", "ENV B=1"] },
    want: { OnBuild: ["RUN echo $A", "ENV B=1"] },
  },
];

/** The instructions as a Dockerfile has them. Values are written between double quotes, where Docker reads them like dapp. */
export function dockerfileLines(docker: DockerInstructions): string[] {
  const quoted = (text: string) => `"${text.replaceAll('"', '\\"')}"`;
  const word = (text: string) => text.replaceAll(" ", "\\ ");
  const pairs = (map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([name, value]) => `${word(name)}=${quoted(value)}`).join(" ");
  const command = (value: string | readonly string[]) =>
    typeof value === "string" ? value : JSON.stringify(value);
  const { ENV, LABEL, HEALTHCHECK, ENTRYPOINT, CMD } = docker;
  const out: string[] = [];
  if (ENV) out.push(`ENV ${pairs(ENV)}`);
  if (LABEL) out.push(`LABEL ${pairs(LABEL)}`);
  for (const port of docker.EXPOSE ?? []) out.push(`EXPOSE ${port}`);
  for (const path of docker.VOLUME ?? []) out.push(`VOLUME ${JSON.stringify([path])}`);
  for (const text of docker.ONBUILD ?? []) out.push(`ONBUILD ${text}`);
  for (const name of ["WORKDIR", "USER", "STOPSIGNAL"] as const) {
    if (docker[name] !== undefined) out.push(`${name} ${docker[name]}`);
  }
  if (HEALTHCHECK) {
    const [kind, ...test] = HEALTHCHECK.Test;
    const options = [
      HEALTHCHECK.Interval && `--interval=${HEALTHCHECK.Interval / 1e9}s`,
      HEALTHCHECK.Retries && `--retries=${HEALTHCHECK.Retries}`,
    ].filter(Boolean).join(" ");
    if (kind === "NONE") out.push("HEALTHCHECK NONE");
    else out.push(`HEALTHCHECK ${options} CMD ${kind === "CMD" ? JSON.stringify(test) : test[0]}`);
  }
  if (ENTRYPOINT !== undefined) out.push(`ENTRYPOINT ${command(ENTRYPOINT)}`);
  if (CMD !== undefined) out.push(`CMD ${command(CMD)}`);
  return out;
}

/** A base image with this configuration. */
export function baseLines(config: ContainerConfig): string[] {
  const { Env = [], Shell, Labels, ExposedPorts = {}, Volumes = {}, WorkingDir, User, StopSignal } = config;
  const pairs = Env.map((row) => [row.slice(0, row.indexOf("=")), row.slice(row.indexOf("=") + 1)] as const);
  return [
    "FROM scratch",
    ...(Shell ? [`SHELL ${JSON.stringify(Shell)}`] : []),
    ...dockerfileLines({
      ENV: Object.fromEntries(pairs),
      ...(Labels && { LABEL: Labels }),
      EXPOSE: Object.keys(ExposedPorts),
      VOLUME: Object.keys(Volumes),
      ...(WorkingDir && { WORKDIR: WorkingDir }),
      ...(User && { USER: User }),
      ...(StopSignal && { STOPSIGNAL: StopSignal }),
      HEALTHCHECK: { Test: ["CMD", "x"], Interval: 5e9 },
      ENTRYPOINT: config.Entrypoint ?? [],
      CMD: config.Cmd ?? [],
    }),
  ];
}

/** The configuration without empty members, which Docker writes as null, "" or nothing; sorted where order says nothing. */
export function comparable(config: ContainerConfig): Record<string, unknown> {
  const keys = [
    "Env",
    "Entrypoint",
    "Cmd",
    "Shell",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "WorkingDir",
    "User",
  ]
    .concat("StopSignal", "Healthcheck", "OnBuild");
  const rows = Object.entries(config).filter(([key, value]) =>
    keys.includes(key) && value && Object.keys(value).length > 0
  );
  return Object.fromEntries(rows.map(([key, value]) => [key, sortedMembers(value)]));
}

function sortedMembers(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
