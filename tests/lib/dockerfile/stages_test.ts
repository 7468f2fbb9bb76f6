import assert from "node:assert/strict";
import { DockerfileError } from "../../../lib/dockerfile/error.ts";
import { renameBases } from "../../../lib/dockerfile/rename.ts";
import {
  type DockerfileRequest,
  type DockerfileUse,
  readDockerfile,
} from "../../../lib/dockerfile/stages.ts";

const request: DockerfileRequest = { args: {}, platform: "linux/arm64" };

/** What a Dockerfile uses, as short texts. */
function use(text: string, changes: Partial<DockerfileRequest> = {}) {
  const { images, paths, remotes }: DockerfileUse = readDockerfile(text, { ...request, ...changes });
  return {
    images: images.map(({ name, platform, ambiguous }) =>
      [name, ...platform ? [`for ${platform}`] : [], ...ambiguous ? ["ambiguous"] : []].join(" ")
    ),
    paths,
    remotes: remotes.map(({ line, source }) => `${line} ${source}`),
  };
}

Deno.test("readDockerfile() finds the images of reached stages", () => {
  const text = `ARG A=alpine
ARG B=\${A}:\${TAG:-3.20}
FROM $B AS base
FROM --platform=$BUILDPLATFORM golang:1 as Build
COPY --from=BASE /x /x
RUN --mount=type=cache,target=/c --mount=from=busybox,target=/b true
FROM debian AS unused
FROM scratch
COPY --from=build /x /x
COPY --from=1 /x /y
ONBUILD COPY --from=trigger:1 /x /x
`;
  assert.deepEqual(use(text).images, ["golang:1", "alpine:3.20", "busybox", "trigger:1"]);
  assert.deepEqual(use(text, { args: { B: "ubuntu", BUILDPLATFORM: "linux/amd64" } }).images, [
    "golang:1 for linux/amd64",
    "ubuntu",
    "busybox",
    "trigger:1",
  ]);
  assert.deepEqual(use(text, { target: "unused" }).images, ["debian"]);
  assert.deepEqual(use(text, { target: "BASE" }).images, ["alpine:3.20"]);
  assert.deepEqual(use("from node:latest as node\nfrom node as node2\nfrom docker.io/library/node2").images, [
    "docker.io/library/node2 ambiguous",
  ]);
  assert.deepEqual(use("FROM a AS a\nFROM a AS b\nCOPY --from=b x x").images, ["a ambiguous"]);
});

Deno.test("readDockerfile() finds what of the context is read", () => {
  const paths = (text: string) => use(`FROM a\n${text}\n`).paths;
  assert.deepEqual(paths("RUN true"), []);
  assert.deepEqual(paths('COPY a ./b/../c /d/\nADD ["e f", "g"]'), ["a", "c", "e f"]);
  assert.deepEqual(paths("COPY --chown=1:1 --exclude=*.md src/*.go /d/"), ["src/*.go"]);
  assert.deepEqual(paths("COPY <<EOF /x\nCOPY . .\nEOF\nCOPY b /b"), ["b"]);
  assert.deepEqual(paths("RUN --mount=type=bind,source=s,target=/s --mount=type=secret,id=x true"), ["s"]);
  assert.deepEqual(paths("ONBUILD COPY later /"), ["later"]);
  assert.deepEqual(paths("COPY --from=b . ."), []);
  for (
    const all of [
      "COPY . .",
      "COPY / /x",
      "COPY $X /x",
      'COPY "a b" /x',
      "COPY a\\ b /x",
      "COPY [ab] /x",
      "RUN --mount=target=/s true",
    ]
  ) assert.equal(paths(all), undefined, all);
});

Deno.test("readDockerfile() names what comes from elsewhere and may change", () => {
  const text = `FROM a
ADD https://example.com/x /x
ADD --checksum=sha256:ab https://example.com/y /y
ADD https://github.com/o/r.git#main /r
ADD https://github.com/o/r.git#0123456789012345678901234567890123456789 /s
ADD git@example.com:o/r.git local /t/
`;
  const { remotes, paths } = use(text);
  assert.deepEqual(remotes, [
    "2 https://example.com/x",
    "4 https://github.com/o/r.git#main",
    "6 git@example.com:o/r.git",
  ]);
  assert.deepEqual(paths, ["local"]);
});

Deno.test("readDockerfile() signs what decides, as it is written", () => {
  const signed = (text: string, changes: Partial<DockerfileRequest> = {}) =>
    readDockerfile(text, { ...request, ...changes }).text;
  const text =
    "# escape=`\n# comment\nARG X\n\nFROM a AS a\r\nRUN x `\n # kept\n  y\nFROM b\nCOPY --from=0 x x\n";
  assert.deepEqual(signed(text), [
    "# escape=`",
    "ARG X",
    "# stage 0",
    "FROM a AS a",
    "RUN x `",
    " # kept",
    "  y",
    "# stage 1",
    "FROM b",
    "COPY --from=0 x x",
  ]);
  assert.deepEqual(signed(text, { target: "a" }), [
    "# escape=`",
    "ARG X",
    "FROM a AS a",
    "RUN x `",
    " # kept",
    "  y",
  ]);
});

Deno.test("readDockerfile() refuses with the line", () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["FROM a b\n", 1, /AS and a name/],
    ["\nRUN x\nFROM a\n", 2, /RUN stands before the first FROM/],
    ["FROM a AS 1\n", 1, /must begin with a letter/],
    ["FROM ${X:?wanted}\n", 1, /wanted/],
    ["FROM --platform=linux a\n", 1, /not a platform/],
    ["FROM a\nCOPY --from=7 x x\n", 2, /no stage number 7/],
    ["FROM b AS a\nFROM b\nCOPY --from=a:latest x x\n", 3, /one name/],
    ["FROM a\nRUN <<X\n", 2, /heredoc "X"/],
    ["#!/bin/x\n# syntax=other/syntax\nFROM a\n", 2, /syntax of its own/],
  ];
  for (const [text, line, message] of cases) {
    assert.throws(() => readDockerfile(text, request), (error) => {
      assert.ok(error instanceof DockerfileError, text);
      assert.match(error.message, message);
      assert.equal(error.line, line, text);
      return true;
    });
  }
  for (
    const own of ["docker/dockerfile:1", "docker.io/docker/dockerfile:1.7-labs", "docker/dockerfile-upstream"]
  ) {
    readDockerfile(`# syntax=${own}\nFROM a\n`, request);
  }
});

Deno.test("renameBases() keeps lines, and leaves stages alone", () => {
  const text = "FROM --platform=$BUILDPLATFORM \\\n  node AS node\nFROM node\nRUN x\n";
  assert.equal(
    renameBases(text, request, new Map([["node", "node@sha256:0"]])),
    "FROM --platform=$BUILDPLATFORM node@sha256:0 AS node\n\nFROM node\nRUN x\n",
  );
});
