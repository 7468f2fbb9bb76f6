import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { familiarName, formatReference, parseReference } from "../../../lib/oci/reference.ts";

const hex = "a".repeat(64);

Deno.test("parseReference() completes names as Docker does", async (t) => {
  const cases: readonly (readonly [input: string, full: string])[] = [
    ["ubuntu", "docker.io/library/ubuntu:latest"],
    ["me/app:1", "docker.io/me/app:1"],
    ["docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app:1", "localhost:5000/app:1"],
    ["myhost/app", "docker.io/myhost/app:latest"],
    ["myhost:5000/app", "myhost:5000/app:latest"],
    ["Foo/app", "foo/app:latest"],
    ["Reg.Example:5000/a/b:V1", "reg.example:5000/a/b:V1"],
    ["Docker.IO/alpine", "docker.io/library/alpine:latest"],
    ["[::1]:5000/app", "[::1]:5000/app:latest"],
    ["127.0.0.1:5000/a/b/c:v1.2-x_y", "127.0.0.1:5000/a/b/c:v1.2-x_y"],
    [`reg.io/app@sha256:${hex}`, `reg.io/app@sha256:${hex}`],
    [`reg.io/app:1@sha256:${hex}`, `reg.io/app:1@sha256:${hex}`],
    ["host:5000", "docker.io/library/host:5000"],
    ["reg.io/a.b_c__d-e---f/x", "reg.io/a.b_c__d-e---f/x:latest"],
    [`reg.io/app:${"t".repeat(128)}`, `reg.io/app:${"t".repeat(128)}`],
    [`reg.io/${"p".repeat(248)}`, `reg.io/${"p".repeat(248)}:latest`],
  ];
  for (const [input, full] of cases) {
    await t.step(input.slice(0, 60), () => strictEqual(formatReference(parseReference(input)), full));
  }
});

Deno.test("parseReference() rejects what the grammar forbids", async (t) => {
  const cases = [
    "",
    hex,
    "Ubuntu",
    "reg.io/App",
    "reg.io/",
    "/app",
    "reg.io//app",
    "reg.io/a..b",
    "reg.io/a.-b",
    "reg.io/a___b",
    "reg.io/-a",
    "reg.io/a-",
    "reg.io/app:",
    "reg.io/app:-x",
    `reg.io/app:${"t".repeat(129)}`,
    "reg.io/app@sha256:abc",
    `reg.io/app@sha256:${"A".repeat(64)}`,
    "reg.io/app@",
    "a b",
    "-host.io/app",
    "reg.io:65536/app",
    "256.1.1.1/app",
    "1.2.3.4.5/app",
    "xn--a.io/app",
    "https://reg.io/app",
    `reg.io/${"p".repeat(249)}`,
  ];
  for (const input of cases) {
    await t.step(
      JSON.stringify(input.slice(0, 60)),
      () => throws(() => parseReference(input), { name: "OciError", fix: /^Write it as \[HOST\/\]PATH/ }),
    );
  }
});

Deno.test("parseReference() leaves out the tag when there is a digest only", () => {
  deepStrictEqual(parseReference(`a@sha256:${hex}`), {
    domain: "docker.io",
    path: "library/a",
    digest: `sha256:${hex}`,
  });
});

Deno.test("familiarName() is what Docker shows", () => {
  strictEqual(familiarName(parseReference("ubuntu")), "ubuntu:latest");
  strictEqual(familiarName(parseReference("me/app:1")), "me/app:1");
  strictEqual(familiarName(parseReference("reg.io/library/x:1")), "reg.io/library/x:1");
});
