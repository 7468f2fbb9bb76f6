import assert from "node:assert/strict";
import { adviceFor } from "../../../lib/registry/advice.ts";
import { RegistryError, type RegistryErrorDetails } from "../../../lib/registry/errors.ts";

const words = {
  name: "REPO",
  login: "--registry-username",
  insecure: "--insecure-registry",
};

Deno.test("adviceFor() fits what happened, where, and where the login came from", async (t) => {
  const cases: readonly (readonly [
    name: string,
    domain: string,
    details: RegistryErrorDetails & { readonly message?: string },
    wanted: RegExp | undefined,
  ])[] = [
    ["no login", "r.io", { kind: "denied", login: "none" }, /^Log in with: docker login r\.io$/],
    [
      "no login, Docker Hub",
      "docker.io",
      { kind: "denied", login: "none" },
      /^Log in with: docker login; .*one of Docker Hub$/,
    ],
    ["a wrong login", "r.io", { kind: "denied", login: "wrong" }, /^Log in with: docker login r\.io$/],
    [
      "a wrong login of options",
      "r.io",
      { kind: "denied", login: "wrong", given: true },
      /^Correct --registry-username: /,
    ],
    [
      "options where none is asked for",
      "r.io",
      { kind: "denied", given: true },
      /^Correct --registry-username: /,
    ],
    [
      "a proxy that wants a login",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: the proxy wants a login (407)" },
      /^Check the proxy that HTTP_PROXY or HTTPS_PROXY names, and its login/,
    ],
    [
      "files of certificates",
      "r.io",
      { kind: "failed", unusableFiles: true, message: "certificate" },
      /^Correct the files that the message names$/,
    ],
    [
      "a client certificate",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: it does not take the client certificate" },
      /^Put one that it takes into .*r\.io, as client\.cert, with its key as client\.key$/,
    ],
    [
      "a weak login",
      "r.io",
      { kind: "denied", login: "weak", lacking: "push" },
      /^Check its right to push, and that the repository exists; or log in as somebody else: docker login r\.io$/,
    ],
    [
      "a weak login of options",
      "r.io",
      { kind: "denied", login: "weak", given: true },
      /^Check the rights of this login, .*; or give another one with --registry-username$/,
    ],
    [
      "no network",
      "docker.io",
      {
        kind: "failed",
        message: 'Cannot reach https://registry-1.docker.io: no such host "registry-1.docker.io"',
      },
      /^Check this machine's network.*HTTPS_PROXY; .*Docker Hub$/,
    ],
    [
      "no such host",
      "r.io",
      { kind: "failed", message: 'no such host "r.io"' },
      /^Check the host in REPO, and that this machine/,
    ],
    [
      "refused",
      "r.io:5000",
      { kind: "failed", message: "connect ECONNREFUSED" },
      /^Check host and port in REPO, and that the registry runs/,
    ],
    [
      "refused, as a socket says it",
      "127.0.0.1:5000",
      { kind: "failed", message: "Cannot reach http://127.0.0.1:5000/v2/: Connection refused" },
      /^Check host and port in REPO, and that the registry runs/,
    ],
    [
      "no way, as a socket says it",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: Network is unreachable" },
      /^Check this machine's network/,
    ],
    [
      "no way",
      "r.io",
      { kind: "failed", message: "connect ENETUNREACH 1.2.3.4:443" },
      /^Check this machine's network/,
    ],
    [
      "a certificate of nobody known",
      "r.io",
      { kind: "failed", message: "invalid peer certificate: UnknownIssuer" },
      /^Put the registry's CA into \/etc\/docker\/certs\.d\/r\.io\/ca\.crt, or .* --insecure-registry$/,
    ],
    [
      "a client certificate",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: it wants a client certificate" },
      /^Put the certificate and its key into \/etc\/docker\/certs\.d\/r\.io, /,
    ],
    [
      "no TLS",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: it does not speak TLS" },
      /^Name the host with --insecure-registry, /,
    ],
    [
      "a file of authorities that is gone",
      "r.io",
      { kind: "refused", variable: "SSL_CERT_FILE" },
      /^Correct or unset SSL_CERT_FILE$/,
    ],
    [
      "a certificate that expired",
      "r.io",
      { kind: "failed", message: "Cannot reach https://r.io/v2/: its certificate expired on 2020-02-01" },
      /^Have the registry's certificate renewed, or set the clock/,
    ],
    [
      "a certificate of another host",
      "r.io",
      { kind: "failed", message: 'invalid peer certificate: certificate not valid for name "r.io"; …' },
      /^Call the registry by a name that its certificate has, or .* --insecure-registry$/,
    ],
    ["a bad answer", "r.io", { kind: "failed", status: 500 }, undefined],
    ["a slow answer", "r.io", { kind: "failed", status: 504, message: "Gateway timeout" }, undefined],
  ];
  for (const [name, domain, { message = "Cannot push", ...details }, wanted] of cases) {
    await t.step(name, () => {
      const advice = adviceFor(new RegistryError(message, details), { ...words, domain });
      if (wanted === undefined) assert.equal(advice, undefined);
      else assert.match(advice ?? "", wanted);
    });
  }
});
