import assert from "node:assert/strict";
import { networkOf } from "../../core/build/step_network.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { withProject } from "../support/project.ts";

const options = { network: undefined, untrusted: false, env: {} };

Deno.test("networkOf() takes what was asked for, then what the dappfile says, then leaves it to the builder", () => {
  assert.deepEqual(networkOf(options, {}), {});
  assert.deepEqual(networkOf(options, { network: "none" }), { network: "none" });
  assert.deepEqual(networkOf({ ...options, network: "private" }, { network: "host" }), {
    network: "private",
  });
});

Deno.test("networkOf() takes this machine's network for a proxy that is reached from there alone", async (t) => {
  const here = [
    ["http_proxy", "http://localhost:3128"],
    ["ALL_PROXY", "socks5://me:p@127.0.0.9/"],
    ["https_proxy", "http://[::1]:1"],
    ["HTTP_PROXY", "localhost:1"],
  ];
  const elsewhere = [
    ["http_proxy", "http://proxy:3128"],
    ["http_proxy", "http://127.0.0.1.example.com"],
    ["http_proxy", "10.0.0.1:3128"],
    ["http_proxy", ""],
    ["no_proxy", "localhost,127.0.0.1"],
  ];
  for (const [name, value] of here) {
    const env = { [name!]: value };
    await t.step(`${name}=${value}`, () => {
      assert.deepEqual(networkOf({ ...options, env }, {}), { network: "host" });
      assert.deepEqual(networkOf({ ...options, env, network: "private" }, {}), { network: "private" });
      assert.deepEqual(
        networkOf({ ...options, env, untrusted: true }, {}),
        {},
        "strangers do not get there by it",
      );
    });
  }
  for (const [name, value] of elsewhere) {
    await t.step(`${name}=${value}`, () => {
      assert.deepEqual(networkOf({ ...options, env: { [name!]: value } }, {}), {});
    });
  }
});

Deno.test("a step is asked to have the network of the dappfile, and a proxy of this machine is a reason to say so", async () => {
  const dappfile = "dimg: a\nfrom: scratch\nnetwork: none\nshell: { install: write a 1 }\n---\n" +
    "dimg: b\nfrom: scratch\nshell: { install: write b 1 }\n";
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    const notes: string[] = [];
    await using engine = project.engine({
      plugins: [{ plugin: fakeBuilder(log) }],
      env: { http_proxy: "http://127.0.0.1:9" },
      onEvent: (event) => void (event.type === "note" && notes.push(event.text)),
    });
    await engine.build();
    const networks = log.steps.map(({ label, network }) => `${label} ${network}`).sort();
    assert.deepEqual(networks, ["a/install none", "b/install host"]);
    const said = notes.filter((text) => /network/.test(text));
    assert.equal(said.length, 1);
    assert.match(said[0]!, /this machine's network .*"http_proxy" is on this machine \("127\.0\.0\.1"\)$/);
  });
});
