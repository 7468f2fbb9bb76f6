import { strictEqual, throws } from "node:assert/strict";
import { formatPlatform, hostPlatform, platformDistance, platformOf } from "../../../lib/oci/platform.ts";

Deno.test("platformOf() reads usual spellings", async (t) => {
  const cases = [
    ["linux/amd64", "linux/amd64"],
    ["amd64", "linux/amd64"],
    ["x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["arm64/v8", "linux/arm64"],
    ["armhf", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["windows/amd64", "windows/amd64"],
    ["linux/constructor", "linux/constructor"],
  ] as const;
  for (const [text, wanted] of cases) {
    await t.step(text, () => strictEqual(formatPlatform(platformOf(text)), wanted));
  }
  for (const text of ["", "linux/", "linux/arm/v7/x", "li nux/amd64"]) {
    await t.step(`not "${text}"`, () => throws(() => platformOf(text), RangeError));
  }
});

Deno.test("platformDistance() knows which variants run", async (t) => {
  const cases: readonly (readonly [wanted: string, offered: string, distance: number | undefined])[] = [
    ["linux/amd64", "linux/amd64", 0],
    ["linux/amd64", "linux/arm64", undefined],
    ["linux/amd64", "windows/amd64", undefined],
    ["linux/amd64", "linux/amd64/v2", undefined],
    ["linux/amd64/v3", "linux/amd64", 2],
    ["linux/amd64/v3", "linux/amd64/v2", 1],
    ["linux/arm", "linux/arm/v7", 0],
    ["linux/arm/v7", "linux/arm", 0],
    ["linux/arm/v7", "linux/arm/v6", 1],
    ["linux/arm/v6", "linux/arm/v7", undefined],
    ["linux/arm/v8", "linux/arm/v5", 3],
    ["linux/arm64", "linux/arm/v7", undefined],
    ["linux/arm64", "linux/arm64/v8", 0],
    ["linux/ppc64le", "linux/ppc64le", 0],
  ];
  for (const [wanted, offered, distance] of cases) {
    const [a, b] = [wanted, offered].map((text) => {
      const [os = "", architecture = "", variant] = text.split("/");
      return { os, architecture, ...(variant && { variant }) };
    });
    await t.step(`${wanted} on ${offered}`, () => strictEqual(platformDistance(a!, b!), distance));
  }
});

Deno.test("hostPlatform() is linux", () => strictEqual(hostPlatform().os, "linux"));
