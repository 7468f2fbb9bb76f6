import { strictEqual } from "node:assert/strict";
import { whyNot } from "../../../lib/registry/network_error.ts";

Deno.test("whyNot() says in words for people what rustls, the kernel and fetch say", async (t) => {
  const fetchFailed = (message: string) => new TypeError("fetch failed", { cause: new Error(message) });
  const sending =
    "error sending request from 127.0.0.1:1 for https://r.io/v2/?key=secret (1.2.3.4:443): client error";
  const peer = "invalid peer certificate: certificate";
  const ended = "the connection ended before the answer";
  const cases: readonly (readonly [said: Error, told: string])[] = [
    [new Error("peer closed connection without sending TLS close_notify: https://docs.rs/rustls"), ended],
    [new TypeError("error reading a body from connection"), ended],
    [new Error("unexpected end of file"), "the connection ended while TLS was set up"],
    [new Error("received fatal alert: NoApplicationProtocol"), "it does not speak HTTP/1.1"],
    [new Error("Connection refused (os error 111)"), "Connection refused"],
    [new Error("failed to lookup address information: Name or service not known"), 'no such host "r.io"'],
    [Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }), 'no such host "r.io"'],
    [
      new Error(
        `${peer} expired: verification time 1796047249 (UNIX), but certificate is not valid after 1580515200 (2 seconds ago)`,
      ),
      "its certificate expired on 2020-02-01",
    ],
    [
      new Error(
        `${peer} not valid yet: verification time 1 (UNIX), but certificate is not valid before 1580515200 (2 seconds in future)`,
      ),
      "its certificate is not valid before 2020-02-01",
    ],
    [fetchFailed("Connection reset by peer (os error 104)"), "Connection reset by peer"],
    [fetchFailed(`${sending} (SendRequest): invalid HTTP header parsed`), "invalid HTTP header parsed"],
    [
      fetchFailed(`${sending} (Connect): dns error: failed to lookup address information`),
      'no such host "r.io"',
    ],
    [fetchFailed(`${sending} (SendRequest)`), "the request was not answered"],
    [
      new Error("Client network socket disconnected before secure TLS connection was established"),
      "the connection ended while TLS was set up",
    ],
    [new Error("other side closed"), ended],
    [
      new Error("Connect Timeout Error (attempted address: r.io:443, timeout: 30000ms)"),
      "no connection within 30 s",
    ],
    [new Error("Headers Timeout Error"), "no answer came in time"],
    [
      new Error("Response does not match the HTTP/1.1 protocol (Expected HTTP/, RTSP/ or ICE/)"),
      "what came is no HTTP",
    ],
  ];
  for (const [said, told] of cases) await t.step(told, () => strictEqual(whyNot(said, "r.io"), told));
});
