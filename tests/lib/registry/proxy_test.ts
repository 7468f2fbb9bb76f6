import { strictEqual } from "node:assert/strict";
import { proxyFor } from "../../../lib/registry/proxy.ts";

const proxied = (url: string, noProxy: string) =>
  proxyFor(new URL(url), {
    HTTPS_PROXY: "http://proxy:1",
    HTTP_PROXY: "http://proxy:1",
    NO_PROXY: noProxy,
  }) !==
    undefined;

Deno.test("proxyFor() leaves out what NO_PROXY names, as Go's tools do", async (t) => {
  const direct: readonly (readonly [url: string, noProxy: string])[] = [
    ["https://10.9.1.2:5000", "10.0.0.0/8"],
    ["https://10.9.1.2", "localhost, .svc ,10.0.0.0/8"],
    ["https://172.31.255.255", "172.16.0.0/12"],
    ["https://[fd00::12]", "fd00::/8"],
    ["https://[::ffff:10.0.0.1]", "10.0.0.0/8"],
    ["https://10.0.0.1", "0.0.0.0/0"],
    ["https://10.0.0.1", "10.0.0.1"],
    ["https://10.0.0.1:5000", "10.0.0.1:5000"],
    ["https://[fd00::1]:5000", "[fd00::1]:5000"],
    ["https://[fd00::1]", "fd00::1"],
    ["https://reg.corp.example", "corp.example"],
    ["https://corp.example", "corp.example"],
    ["https://reg.corp.example.", "CORP.example"],
    ["https://reg.corp.example", ".corp.example"],
    ["https://a.reg.corp.example", "*.corp.example"],
    ["https://reg.example", "reg.example:443"],
    ["http://reg.example", "reg.example:80"],
    ["https://reg.example", "x, *"],
    ["https://localhost:5000", ""],
    ["https://127.1.2.3", ""],
    ["https://[::1]:5000", ""],
  ];
  const through: readonly (readonly [url: string, noProxy: string])[] = [
    ["https://11.0.0.1", "10.0.0.0/8"],
    ["https://172.32.0.1", "172.16.0.0/12"],
    ["https://10.example", "10.0.0.0/8"],
    ["https://[fe00::1]", "fd00::/8"],
    ["https://10.0.0.1", "10.0.0.0/33, 10.0.0.0/x, /8"],
    ["https://10.0.0.1:5001", "10.0.0.1:5000"],
    ["https://corp.example", ".corp.example"],
    ["https://corp.example", "*.corp.example"],
    ["https://mycorp.example", "corp.example"],
    ["https://reg.example:444", "reg.example:443"],
    ["https://reg.example", ", :80, ."],
    ["https://110.0.0.1", "10.0.0.1"],
  ];
  for (const [url, noProxy] of direct) {
    await t.step(`${url} by "${noProxy}"`, () => strictEqual(proxied(url, noProxy), false));
  }
  for (const [url, noProxy] of through) {
    await t.step(`not ${url} by "${noProxy}"`, () => strictEqual(proxied(url, noProxy), true));
  }
});

Deno.test("proxyFor() takes the proxy of the scheme", () => {
  const of = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env);
  strictEqual(of("https://a.example", { HTTP_PROXY: "http://p:1" }), undefined);
  strictEqual(of("http://a.example", { HTTP_PROXY: "http://p:1" }), "http://p:1");
  strictEqual(of("https://a.example", { https_proxy: "p:2" }), "http://p:2");
  strictEqual(of("https://a.example", { HTTPS_PROXY: "", https_proxy: "https://p:3" }), "https://p:3");
  strictEqual(of("https://a.example", { HTTPS_PROXY: "http://up", https_proxy: "http://low" }), "http://up");
});
