import assert from "node:assert/strict";
import { configText } from "../../core/share/stage_config.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";
import type { ImageConfig } from "../../lib/oci/types.ts";

const diffId = digestFromHex("1".repeat(64));

Deno.test("a stage's configuration has the bytes that BuildKit 0.34 was seen to write, whatever its order", () => {
  const history = [{ created_by: "dapp install: : '<a>' && b", created: "2026-01-01T00:00:00Z" }];
  const config: ImageConfig & { readonly dapp: unknown } = {
    os: "linux",
    dapp: { trees: {}, format: 1 },
    rootfs: { diff_ids: [diffId], type: "layers" },
    history,
    created: "2026-01-01T00:00:00Z",
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    architecture: "amd64",
  };
  const text = configText(config);
  assert.equal(
    text,
    '{"architecture":"amd64","config":{"Cmd":["sh"],"Env":["PATH=/bin"]},"created":"2026-01-01T00:00:00Z",' +
      '"dapp":{"format":1,"trees":{}},"history":[{"created":"2026-01-01T00:00:00Z","created_by":' +
      String.raw`"dapp install: : '\u003ca\u003e' \u0026\u0026 b"}],"os":"linux",` +
      `"rootfs":{"type":"layers","diff_ids":["${diffId}"]}}`,
  );
  assert.deepEqual(JSON.parse(text), config);
});

Deno.test("what a configuration lacks or has of its own stays so", () => {
  const rootfs = { type: "layers", diff_ids: [] } as const;
  const bare: ImageConfig = { architecture: "amd64", os: "linux", rootfs };
  assert.deepEqual(JSON.parse(configText(bare)), bare);
  const history = [{ x: 1, empty_layer: true, comment: "\u2028" }];
  const own: ImageConfig = { ...bare, history };
  const text = configText(own);
  assert.ok(text.includes(String.raw`[{"comment":"\u2028","empty_layer":true,"x":1}]`), text);
  assert.deepEqual(JSON.parse(text), own);
});
