import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { parseChallenges } from "../../../lib/registry/challenge.ts";
import { isLoopback, isPrivateAddress } from "../../../lib/registry/hosts.ts";
import { parseRetryAfter } from "../../../lib/registry/retry.ts";

Deno.test("parseChallenges() reads what servers send", async (t) => {
  const cases:
    readonly (readonly [header: string, wanted: readonly (readonly [string, Record<string, string>])[]])[] = [
      ["", []],
      ["  ,, ", []],
      ["Basic", [["basic", {}]]],
      ['Basic realm="Registry Realm"', [["basic", { realm: "Registry Realm" }]]],
      ['bearer REALM="https://a/t",Service=s', [["bearer", { realm: "https://a/t", service: "s" }]]],
      [
        'Negotiate, Bearer realm="https://a/t?x=1",scope="repository:a/b:pull,push", Basic realm="x"',
        [
          ["negotiate", {}],
          ["bearer", { realm: "https://a/t?x=1", scope: "repository:a/b:pull,push" }],
          ["basic", { realm: "x" }],
        ],
      ],
      ['Bearer realm="a \\"b\\" , c",error="invalid_token"', [["bearer", {
        realm: 'a "b" , c',
        error: "invalid_token",
      }]]],
      ['Bearer realm = "x" , service = "y"', [["bearer", { realm: "x", service: "y" }]]],
      ['Bearer realm="never ends', [["bearer", { realm: "never ends" }]]],
    ];
  for (const [header, wanted] of cases) {
    await t.step(JSON.stringify(header), () => {
      deepStrictEqual(parseChallenges(header), wanted.map(([scheme, params]) => ({ scheme, params })));
    });
  }
});

Deno.test("parseRetryAfter() reads seconds and dates", () => {
  const now = Date.UTC(2026, 0, 1);
  strictEqual(parseRetryAfter("3", now), 3000);
  strictEqual(parseRetryAfter("Thu, 01 Jan 2026 00:00:05 GMT", now), 5000);
  strictEqual(parseRetryAfter("Thu, 01 Jan 2025 00:00:05 GMT", now), 0);
  strictEqual(parseRetryAfter("soon", now), undefined);
  strictEqual(parseRetryAfter(undefined, now), undefined);
});

Deno.test("isLoopback() and isPrivateAddress() judge host names", () => {
  for (const name of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "x.localhost"]) {
    strictEqual(isLoopback(name), true);
  }
  for (const name of ["10.0.0.1", "128.0.0.1", "localhost.com", "127.0.0.1.com"]) {
    strictEqual(isLoopback(name), false);
  }
  for (const name of ["10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[fd00::1]"]) {
    strictEqual(isPrivateAddress(name), true, name);
  }
  for (const name of ["8.8.8.8", "172.32.0.1", "example.com", "[2001:db8::1]"]) {
    strictEqual(isPrivateAddress(name), false, name);
  }
});
