import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { manifestOf } from "../../../lib/oci/build.ts";
import { parseConfig } from "../../../lib/oci/image.ts";

const digest = `sha256:${"0".repeat(64)}`;
const sound = {
  created: "2024-01-01T00:00:00Z",
  author: "me",
  architecture: "amd64",
  os: "linux",
  config: {
    User: "web",
    ExposedPorts: { "80/tcp": {} },
    Env: ["PATH=/bin", "NOEQ", "", "A=b c"],
    Entrypoint: ["/bin/sh"],
    Cmd: ["-c", "true"],
    Volumes: { "/data": {} },
    WorkingDir: "/app",
    Labels: { a: "b", constructor: "c" },
    StopSignal: "SIGTERM",
    StopTimeout: 10,
    ArgsEscaped: true,
    OnBuild: ["RUN x"],
    Shell: ["/bin/sh", "-c"],
    Healthcheck: { Test: ["CMD", "true"], Interval: 1e9, Retries: 3 },
    Unknown: { any: [1, null] },
  },
  rootfs: { type: "layers", diff_ids: [digest] },
  history: [{
    created: "2024-01-01T00:00:00Z",
    created_by: "x",
    author: "y",
    comment: "z",
    empty_layer: true,
  }],
  "os.version": "1",
  other: { kept: [null, 5] },
};
const parse = (value: unknown) => parseConfig(new TextEncoder().encode(JSON.stringify(value)), "img:1");

Deno.test("parseConfig() keeps what it is given", () => {
  deepStrictEqual(parse(sound), sound);
});

Deno.test("parseConfig() reads null and single texts as Docker does", () => {
  const { config } = parse({
    ...sound,
    author: null,
    config: { Env: ["A=1", null], Cmd: "sh", Entrypoint: null, Labels: { a: null }, Volumes: { "/v": null } },
  });
  deepStrictEqual(config, { Env: ["A=1", ""], Cmd: ["sh"], Labels: { a: "" }, Volumes: { "/v": {} } });
  strictEqual(parse({ ...sound, config: null }).config, undefined);
  deepStrictEqual(parse({ ...sound, history: [null] }).history, [{}]);
});

/** Every place of a value with the path to it. */
function* places(
  value: unknown,
  path: readonly (string | number)[] = [],
): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    yield* places((value as Record<string, unknown>)[key], [
      ...path,
      Array.isArray(value) ? Number(key) : key,
    ]);
  }
}

/** A copy with another value at a place. */
function replaced(value: unknown, [key, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

const odd: readonly unknown[] = [null, 5, -1.5, true, "text", "a\0b", [], [[]], [null], [5], {}, { a: 1 }, {
  a: { b: [] },
}];

Deno.test("parseConfig() gives a configuration that all code can use, or an error that names image and member", async () => {
  let refused = 0;
  for (const place of places(sound)) {
    for (const value of odd) {
      const config = replaced(sound, place, value);
      let parsed;
      try {
        parsed = parse(config);
      } catch (error) {
        ok(error instanceof Error && error.name === "OciError", `${place}: ${error}`);
        ok(error.message.includes('"img:1"') && error.message.includes(String(place[0])), error.message);
        refused++;
        continue;
      }
      const { Env = [], Cmd, Entrypoint, Labels = {}, Shell = [], WorkingDir = "", User = "" } =
        parsed.config ?? {};
      for (
        const text of [
          ...Env,
          ...Cmd ?? [],
          ...Entrypoint ?? [],
          ...Shell,
          ...Object.values(Labels),
          WorkingDir,
          User,
        ]
      ) {
        strictEqual(typeof text, "string", `${place} = ${JSON.stringify(value)}`);
      }
      for (const { empty_layer = false, created_by = "" } of parsed.history ?? []) {
        deepStrictEqual([typeof empty_layer, typeof created_by], ["boolean", "string"]);
      }
      await manifestOf({ config: parsed, layers: [] });
    }
  }
  ok(refused > 200, `${refused} were refused`);
});

Deno.test("parseConfig() refuses what is nested without end", () => {
  const deep = `{"rootfs":{"diff_ids":[]},"x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  throws(() => parseConfig(new TextEncoder().encode(deep), "img:1"), {
    name: "OciError",
    message: /nested more than 100/,
  });
});
