import assert from "node:assert/strict";
import { isFar } from "../../../lib/registry/far_host.ts";

Deno.test("isFar() tells hosts of other machines from what else words are", () => {
  const far = ["registry.example.com/shop", "r.io/a/b", "docker.io/x", "10.0.0.1:5000/x", "registry:5000/x"];
  assert.deepEqual(far.filter((text) => !isFar(text)), []);
  const others = [
    "",
    "app",
    "app/web",
    "v1.0",
    "/a.b/c",
    "./a.b/c",
    "../a.b/c",
    "oci:/dir",
    "oci:a.b/c",
    ":minikube",
  ]
    .concat([
      "localhost:5000/x",
      "127.0.0.1:5000/x",
      "a.localhost/x",
      "[::1]:5000/x",
      "https://r.io/x",
      "r.io",
    ]);
  assert.deepEqual(others.filter(isFar), []);
});
