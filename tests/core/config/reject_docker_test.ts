import assert from "node:assert/strict";
import { problemsOf, type Reject } from "./support.ts";

const DOLLAR = "Write \\$ for a dollar that is meant as such";

const cases: readonly Reject[] = [
  {
    name: "lower-case keys",
    text: `
dimg: a
from: x
docker: {cmd: a, workdir: /, env: {}}
`.slice(1),
    want: [
      `3:10 docker.cmd: Unknown key "cmd" in docker | Did you mean \`CMD\`?`,
      `3:18 docker.workdir: Unknown key "workdir" in docker | Did you mean \`WORKDIR\`?`,
      `3:30 docker.env: Unknown key "env" in docker | Did you mean \`ENV\`?`,
    ],
  },
  {
    name: "misspelt keys",
    text: `
dimg: a
from: x
docker: {EXPOSED: 80, ENTRY_POINT: a}
`.slice(1),
    want: [
      `3:10 docker.EXPOSED: Unknown key "EXPOSED" in docker | Did you mean \`EXPOSE\`?`,
      `3:23 docker.ENTRY_POINT: Unknown key "ENTRY_POINT" in docker | Did you mean \`ENTRYPOINT\`?`,
    ],
  },
  {
    name: "instructions that are something else",
    text: `
dimg: a
from: x
docker: {RUN: a, COPY: a, ADD: a, FROM: a, ARG: a, MAINTAINER: a, SHELL: a}
`.slice(1),
    want: [
      `3:10 docker.RUN: Unknown key "RUN" in docker | Commands belong to \`shell\``,
      `3:18 docker.COPY: Unknown key "COPY" in docker | Files come through \`git\` or \`import\``,
      `3:27 docker.ADD: Unknown key "ADD" in docker | Files come through \`git\` or \`import\``,
      `3:35 docker.FROM: Unknown key "FROM" in docker | The base image is named by \`from\``,
      `3:44 docker.ARG: Unknown key "ARG" in docker | Use \${{ env.NAME }} in values`,
      `3:52 docker.MAINTAINER: Unknown key "MAINTAINER" in docker | Use LABEL: { maintainer: "..." }`,
      `3:67 docker.SHELL: Unknown key "SHELL" in docker | Name the shell in CMD and ENTRYPOINT`,
    ],
  },
  {
    name: "ports",
    text: `
dimg: a
from: x
docker:
  EXPOSE: [80000, 0, 80/tpc, 80/xyz, 8080:80, 90-80, abc, 80/]
`.slice(1),
    want: [
      "4:12 docker.EXPOSE[0]: Port 80000 is not between 1 and 65535",
      "4:19 docker.EXPOSE[1]: Port 0 is not between 1 and 65535",
      `4:22 docker.EXPOSE[2]: Protocol "tpc" is not known | Did you mean \`tcp\`?`,
      `4:30 docker.EXPOSE[3]: Protocol "xyz" is not known | Use tcp, udp or sctp`,
      `4:38 docker.EXPOSE[4]: "8080:80" is not a port | EXPOSE names ports of the container only, such as \`8080\``,
      `4:47 docker.EXPOSE[5]: Port range "90-80" runs backwards | Did you mean \`80-90\`?`,
      `4:54 docker.EXPOSE[6]: "abc" is not a port | Write it like \`8080\`, \`53/udp\` or \`7000-7010\``,
      `4:59 docker.EXPOSE[7]: Protocol "" is not known | Use tcp, udp or sctp`,
    ],
  },
  {
    name: "environment",
    text: `
dimg: a
from: x
docker:
  ENV: {A: ~, B C: x, D: [1], E: {}, '': x}
`.slice(1),
    want: [
      `4:9 docker.ENV.A: "A" has no value | Write "" for an empty one`,
      `4:20 docker.ENV["B C"]: "B C" is not a name of a variable | Names contain no spaces and no =`,
      `4:26 docker.ENV.D: "D" takes a text: found a list`,
      `4:34 docker.ENV.E: "E" takes a text: found a map`,
      `4:42 docker.ENV[""]: The name is empty`,
    ],
  },
  {
    name: "environment as list",
    text: `
dimg: a
from: x
docker:
  ENV: [A, 'B C=d', '=x', [x], ~]
`.slice(1),
    want: [
      `4:9 docker.ENV[0]: "A" has no value | Write \`A=value\`, or use a map`,
      `4:12 docker.ENV[1]: "B C" is not a name of a variable | Names contain no spaces and no =`,
      "4:21 docker.ENV[2]: The name is empty",
      "4:27 docker.ENV[3]: The entry takes a text: found a list",
      `4:32 docker.ENV[4]: The entry has no value | Write "" for an empty one`,
    ],
  },
  {
    name: "environment as text",
    text: `
dimg: a
from: x
docker: {ENV: A=b, LABEL: x}
`.slice(1),
    want: [
      "3:15 docker.ENV: A map of names and values is wanted: found a text | Write `NAME: value` on a line of its own",
      "3:27 docker.LABEL: A map of names and values is wanted: found a text | Write `NAME: value` on a line of its own",
    ],
  },
  {
    name: "labels",
    text: `
dimg: a
from: x
docker: {LABEL: {' ': x, a: ~}}
`.slice(1),
    want: [
      `3:23 docker.LABEL[" "]: The name is empty`,
      `3:26 docker.LABEL.a: "a" has no value | Write "" for an empty one`,
    ],
  },
  {
    name: "paths",
    text: `
dimg: a
from: x
docker: {WORKDIR: app, VOLUME: [data, /ok, ../x]}
`.slice(1),
    want: [
      `3:19 docker.WORKDIR: Path "app" is relative: it must be absolute | Did you mean "/app"?`,
      `3:33 docker.VOLUME[0]: Path "data" is relative: it must be absolute | Did you mean "/data"?`,
      `3:44 docker.VOLUME[2]: Path "../x" is relative: it must be absolute`,
    ],
  },
  {
    name: "variables",
    text: `
dimg: a
from: x
docker: {EXPOSE: ['\${A', 1], WORKDIR: \\$A, LABEL: {a: '\${}', b: '\${A=1}', '\${': c}}
`.slice(1),
    want: [
      `3:19 docker.EXPOSE[0]: "\${A" cannot be expanded: "\${A" is not closed: "}" is missing | ${DOLLAR}`,
      `3:39 docker.WORKDIR: Path "$A" is relative: it must be absolute | Did you mean "/$A"?`,
      `3:55 docker.LABEL.a: "\${}" cannot be expanded: "\${}" names no variable | ${DOLLAR}`,
      `3:65 docker.LABEL.b: "\${A=1}" cannot be expanded: "\${A=" is not a way to write a variable: after the name ` +
      `come "}", "-", "+", "?" (each also with a colon before it), "#", "%" or "/" | ${DOLLAR}`,
      `3:81 docker.LABEL["\${"]: "\${" cannot be expanded: "\${" is not closed: "}" is missing | ${DOLLAR}`,
    ],
  },
  {
    name: "user",
    text: `
dimg: a
from: x
docker: {USER: 'a b'}
`.slice(1),
    want: [`3:16 docker.USER: "a b" contains white space`],
  },
  {
    name: "nothing for a user",
    text: `
dimg: a
from: x
docker:
  USER:
`.slice(1),
    want: [`4:3 docker.USER: "USER" has no value: it takes a text | Give it a value, or leave it out`],
  },
  {
    name: "signals",
    text: `
dimg: a
from: x
docker: {STOPSIGNAL: SIGTREM}
`.slice(1),
    want: [`3:22 docker.STOPSIGNAL: "SIGTREM" is not a signal | Did you mean \`SIGTERM\`?`],
  },
  {
    name: "signal number",
    text: `
dimg: a
from: x
docker: {STOPSIGNAL: 99}
`.slice(1),
    want: [`3:22 docker.STOPSIGNAL: "99" is not a signal | Write a name such as SIGTERM, or a number`],
  },
  {
    name: "empty command",
    text: `
dimg: a
from: x
docker: {CMD: '', ENTRYPOINT: {}}
`.slice(1),
    want: [
      "3:15 docker.CMD: The value is empty",
      `3:31 docker.ENTRYPOINT: "ENTRYPOINT" takes a text or a list of texts: found a map`,
    ],
  },
  {
    name: "health without a test",
    text: `
dimg: a
from: x
docker: {HEALTHCHECK: {interval: 30s}}
`.slice(1),
    want: [
      "3:23 docker.HEALTHCHECK: `test` is missing | Add the command that tells whether the container is healthy",
    ],
  },
  {
    name: "health twice",
    text: `
dimg: a
from: x
docker: {HEALTHCHECK: {test: a, cmd: b}}
`.slice(1),
    want: ["3:33 docker.HEALTHCHECK.cmd: `test` and `cmd` mean the same | Keep one of them"],
  },
  {
    name: "health times",
    text: `
dimg: a
from: x
docker: {HEALTHCHECK: {test: a, interval: 30, timeout: soon, startPeriod: 1us, retries: -1}}
`.slice(1),
    want: [
      `3:43 docker.HEALTHCHECK.interval: "30" has no unit | Did you mean \`30s\`?`,
      `3:56 docker.HEALTHCHECK.timeout: "soon" is not a time span | Write it like \`30s\`, \`1m30s\` or \`500ms\``,
      `3:75 docker.HEALTHCHECK.startPeriod: "1us" is shorter than a millisecond`,
      `3:89 docker.HEALTHCHECK.retries: "-1" is not a whole number`,
    ],
  },
  {
    name: "docker as list",
    text: `
dimg: a
from: x
docker: [CMD]
`.slice(1),
    want: [
      `3:9 docker: "docker" takes a map: found a list | Write \`key: value\` lines below it, with more indentation`,
    ],
  },
];

Deno.test("parseConfig() rejects docker instructions", async (t) => {
  for (const { name, text, want } of cases) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});
