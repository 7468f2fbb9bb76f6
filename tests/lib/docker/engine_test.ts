import assert from "node:assert/strict";
import { DockerEngine, DockerError } from "../../../lib/docker/engine.ts";

const { signal } = new AbortController();

/** An engine whose API answers every request the same. */
async function withEngine(answer: () => Response, body: (engine: DockerEngine) => Promise<void>) {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  await using engine = new DockerEngine({ DOCKER_HOST: `tcp://127.0.0.1:${server.addr.port}` });
  await body(engine);
}

Deno.test("DockerEngine tells what the engine said, as it said it", async (t) => {
  const said = 'no space left on "/var": <nil>\tgave up';
  const archive = await Deno.makeTempFile();
  try {
    const cases: readonly (readonly [string, () => Response, (engine: DockerEngine) => Promise<unknown>])[] =
      [
        [
          "an error status",
          () => new Response(JSON.stringify({ message: said }), { status: 500 }),
          (engine) => engine.imageId("app", signal),
        ],
        [
          "a failure within a stream",
          () => new Response(`{"stream":"x"}\n${JSON.stringify({ errorDetail: {}, error: said })}\n`),
          (engine) => engine.load(archive, signal),
        ],
        [
          "plain text",
          () => new Response(`${said}\n`, { status: 502 }),
          (engine) => engine.imageId("app", signal),
        ],
      ];
    for (const [title, answer, call] of cases) {
      await t.step(title, () =>
        withEngine(answer, async (engine) => {
          await assert.rejects(call(engine), (error: Error) => {
            assert(error instanceof DockerError);
            assert(error.message.endsWith(`: ${said}`), error.message);
            return true;
          });
        }));
    }
  } finally {
    await Deno.remove(archive);
  }
});

Deno.test("DockerEngine reads images, their names and who uses them", async () => {
  const rows = [
    { Id: "sha256:1", RepoTags: ["app:1", "<none>:<none>"], Size: 5, Labels: { dapp: "shop" } },
    { Id: "sha256:2", RepoTags: null, Size: 6, Labels: null },
  ];
  await withEngine(() => Response.json(rows), async (engine) => {
    assert.deepEqual(await engine.images(["dapp=shop"], signal), [
      { id: "sha256:1", names: ["app:1"], bytes: 5, labels: { dapp: "shop" } },
      { id: "sha256:2", names: [], bytes: 6, labels: {} },
    ]);
  });
  await withEngine(
    () => Response.json([{ ImageID: "sha256:1" }, { ImageID: "sha256:1" }]),
    async (engine) => {
      assert.deepEqual([...await engine.usedImages(signal)], ["sha256:1"]);
    },
  );
});

Deno.test("DockerEngine.removeImage() says whether the name is gone", async () => {
  for (const [status, gone] of [[200, true], [404, true], [409, false]] as const) {
    await withEngine(() => Response.json({}, { status }), async (engine) => {
      assert.equal(await engine.removeImage("app:1", signal), gone);
    });
  }
});

Deno.test("DockerEngine rejects an address that is neither a socket nor plain tcp", () => {
  for (const DOCKER_HOST of ["ssh://host", "tcp://", "npipe:////./pipe/docker"]) {
    assert.throws(() => new DockerEngine({ DOCKER_HOST }), {
      name: "DockerError",
      message: `Cannot reach the Docker engine at "${DOCKER_HOST}": wanted is unix://PATH or tcp://HOST:PORT`,
    });
  }
});

Deno.test("DockerEngine reads no answer without an end", async () => {
  const piece = new TextEncoder().encode(" ".repeat(1 << 20));
  const endless = () => {
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(piece) });
    return new Response(body);
  };
  await withEngine(endless, async (engine) => {
    await assert.rejects(engine.images([], signal), /answered with more than 134217728 characters/);
  });
});
