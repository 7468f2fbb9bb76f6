import assert from "node:assert/strict";
import { type EngineError, type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { type TestProject, withProject } from "../support/project.ts";

const KINDS = ["host", "cache", "tmp", "secret", "ssh"] as const;
const CANARY = "CANARY-value-4711";

function engineOf(project: TestProject, log: FakeBuilderLog, options: EngineOptions = {}) {
  return project.engine({ plugins: [use(fakeBuilder(log, KINDS))], ...options });
}

const app = (secrets: string, commands: string, more = "") => `
dimg: app
from: scratch
secrets: ${secrets}
shell: { install: ${commands} }
${more}`;

Deno.test("secrets reach the step, and events and errors without their values", async () => {
  const dappfile = app(
    `[{ id: npm, env: TOKEN }, { id: key, file: key.txt, target: /root/key, as: KEY }, { id: v, env: TOKEN, as: V }]`,
    `["reveal npm", "write a 1", "betray key"]`,
  );
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await Deno.writeTextFile(`${project.dir}/key.txt`, "CANARY-key-0815\n");
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { env: { TOKEN: CANARY } });
    await assert.rejects(engine.build(), (error: EngineError) => {
      assert.equal(error.message, "Cannot build app/install: it knows ***");
      assert.equal(error.fix, "***");
      return true;
    });
    const [step] = log.steps;
    assert.deepEqual(step?.mounts, [
      { kind: "secret", id: "npm", target: "/run/secrets/npm" },
      { kind: "secret", id: "key", target: "/root/key" },
    ]);
    assert.deepEqual(step.secretEnv, { KEY: "key", V: "v" });
    const output = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []);
    assert.equal(output.join(""), "it is ***, or ***\n");
    assert.doesNotMatch(JSON.stringify([project.events, step]), /CANARY/);
  });
});

Deno.test("a signature covers ids, places and versions of secrets, not values or sources", async () => {
  await withProject({}, async (project) => {
    const signatureOf = async (secrets: string, env: Record<string, string> = {}) => {
      await project.write({ "dappfile.yaml": app(secrets, `["nothing"]`) });
      await using engine = engineOf(project, new FakeBuilderLog(), { env });
      return (await engine.plan()).images[0]!.stages.at(-1)!.signature;
    };
    const plain = await signatureOf("[{ id: a, env: X }, { id: b, env: Y }]", { X: "1111" });
    for (
      const same of ["[{ id: b, env: Y }, { id: a, env: X }]", "[{ id: a, file: x }, { id: b, env: Z }]"]
    ) {
      assert.equal(await signatureOf(same, { X: "2222" }), plain, same);
    }
    const others = [
      "[]",
      "[{ id: a, env: X }]",
      "[{ id: a, env: X }, { id: c, env: Y }]",
      "[{ id: a, env: X, version: 2 }, { id: b, env: Y }]",
      "[{ id: a, env: X, as: A }, { id: b, env: Y }]",
      "[{ id: a, env: X, target: /a }, { id: b, env: Y }]",
      "[{ id: a, env: X }, { id: b, env: Y }]\nssh: default",
    ];
    const signatures = new Set([plain]);
    for (const other of others) signatures.add(await signatureOf(other));
    assert.equal(signatures.size, others.length + 1);
  });
});

Deno.test("what is in the store needs no secret", async () => {
  const dappfile = app("[{ id: npm, env: TOKEN }]", `["write a 1"]`);
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    {
      await using engine = engineOf(project, log, { env: { TOKEN: CANARY } });
      await engine.build();
    }
    await using without = engineOf(project, log, { env: {} });
    assert.equal((await without.build()).stagesBuilt, 0);
  });
});

Deno.test("secrets that cannot be had are reported together, before anything is built", async () => {
  const dappfile = `
dimg: app
from: scratch
secrets:
  - { id: unset, env: TOKNE }
  - { id: empty, env: EMPTY }
  - { id: absent, file: none.txt }
  - { id: dir, file: . }
  - { id: large, file: ./large }
  - { id: wide, env: WIDE, as: WIDE }
  - { id: nul, file: nul, as: NUL }
ssh: default
shell: { beforeInstall: ["write a 1"], install: ["nothing"] }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await Deno.writeFile(`${project.dir}/large`, new Uint8Array(500 * 1024 + 1));
    await Deno.writeFile(`${project.dir}/nul`, new Uint8Array([65, 66, 67, 68, 0, 69]));
    const log = new FakeBuilderLog();
    const env = { TOKEN: "x", EMPTY: "", WIDE: "w".repeat(128 * 1024 + 1) };
    await using engine = engineOf(project, log, { env });
    await assert.rejects(engine.build(), (error: EngineError) => {
      assert.equal(error.code, "SECRET_UNAVAILABLE");
      const dir = project.dir;
      assert.deepEqual(error.details.problems?.map(({ line, message, hint }) => [line, message, hint]), [
        [5, 'Secret "unset" comes from variable "TOKNE", which is not set', "Did you mean `TOKEN`?"],
        [
          6,
          'Secret "empty" comes from variable "EMPTY", which is empty',
          "Set EMPTY, or give it with --secret empty=FILE",
        ],
        [
          7,
          `Secret "absent" comes from file "${dir}/none.txt", which does not exist`,
          "Make it, or give it with --secret absent=FILE",
        ],
        [
          8,
          `Secret "dir" comes from file "${dir}/.", which is no regular file`,
          "Make it, or give it with --secret dir=FILE",
        ],
        [
          9,
          'Secret "large" has 512001 bytes: the limit is 512000',
          "Mount what is large with `mount`, or fetch it in a command with a token",
        ],
        [
          10,
          'Secret "wide" has 131073 bytes: the limit is 131072',
          "Mount what is large with `mount`, or fetch it in a command with a token",
        ],
        [11, 'Secret "nul" has a NUL byte, which no variable can hold', "Leave out `as`"],
        [
          2,
          "app wants the ssh agent, and there is none at $SSH_AUTH_SOCK",
          "Start ssh-agent and add a key with ssh-add, or name the key with --ssh-key",
        ],
      ]);
      return true;
    });
    assert.deepEqual(log.ran, []);
  });
});

Deno.test("the engine's options say where a secret comes from, and name only ids that there are", async () => {
  const dappfile = app("[{ id: npm, env: TOKEN }]", `["reveal npm"]`);
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await Deno.writeTextFile(`${project.dir}/../other`, CANARY);
    const log = new FakeBuilderLog();
    {
      const secrets = { npm: { file: `${project.dir}/../other` } };
      await using engine = engineOf(project, log, { env: {}, secrets });
      await engine.build();
      const output = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []);
      assert.equal(output.join(""), "it is ***, or ***\n");
    }
    await using engine = engineOf(project, log, { env: {}, secrets: { npn: { env: "X" } } });
    await assert.rejects(engine.build(), {
      code: "USAGE",
      message: 'Cannot use secret "npn": no image of the dappfile has one of this id',
      fix: 'Did you mean "npm"?',
    });
  });
});

Deno.test("a program gives secrets itself, masked, when a command needs them and not before", async () => {
  const dappfile = app(
    "[{ id: npm, env: TOKEN, as: NPM }]",
    '["reveal npm", "write a 1"]',
  );
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    let asked = 0;
    const value = new TextEncoder().encode(CANARY);
    const npm = () => {
      asked++;
      return Promise.resolve(value);
    };
    const log = new FakeBuilderLog();
    for (const built of [true, false]) {
      await using engine = engineOf(project, log, { env: {}, secrets: { npm } });
      await engine.plan();
      assert.equal(asked, built ? 0 : 1);
      await engine.build();
    }
    assert.equal(asked, 1, "what is built needs none");
    const output = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []);
    assert.match(output.join(""), /\*\*\*/);
    assert.doesNotMatch(JSON.stringify([project.events, log.steps]), /CANARY/);
  });
});

Deno.test("a program that gives no secret is told which, and one that never does is not waited for", async (t) => {
  const cases: readonly [name: string, give: () => unknown, why: RegExp][] = [
    ["nothing", () => undefined, /which gave undefined$/],
    ["an empty text", () => "", /which gave empty$/],
    ["no bytes", () => new Uint8Array(), /which gave no bytes$/],
    ["a number", () => 5, /which gave a number$/],
    [
      "a failure",
      () => Promise.reject(new Error("the vault is sealed")),
      /which failed: the vault is sealed$/,
    ],
  ];
  const dappfile = app("[{ id: npm, env: TOKEN }]", '["write a 1"]');
  for (const [name, give, why] of cases) {
    await t.step(name, async () => {
      await withProject({ "dappfile.yaml": dappfile }, async (project) => {
        const log = new FakeBuilderLog();
        await using engine = engineOf(project, log, {
          env: { TOKEN: "x" },
          secrets: { npm: give as () => string },
        });
        await assert.rejects(engine.build(), ({ code, details }: EngineError) => {
          assert.equal(code, "SECRET_UNAVAILABLE");
          assert.match(details.problems![0]!.message, why);
          return true;
        });
        assert.deepEqual(log.steps, []);
      });
    });
  }
  await t.step("never", async () => {
    await withProject({ "dappfile.yaml": dappfile }, async (project) => {
      const stop = new AbortController();
      const reason = new Error("enough");
      const npm = () => {
        queueMicrotask(() => stop.abort(reason));
        return new Promise<string>(() => {});
      };
      await using engine = engineOf(project, new FakeBuilderLog(), {
        env: {},
        secrets: { npm },
        signal: stop.signal,
      });
      await assert.rejects(engine.build(), (error) => error === reason);
    });
  });
});

Deno.test("a builder that cannot show secrets is an error that says so", async () => {
  for (
    const [more, what] of [["secrets: [{ id: npm, env: TOKEN, as: X }]", "secrets"], ["ssh: default", "ssh"]]
  ) {
    const dappfile = `dimg: app\nfrom: scratch\n${more}\nshell: { install: [nothing] }\n`;
    await withProject({ "dappfile.yaml": dappfile }, async (project) => {
      const agent = `${project.dir}/../agent`;
      using _listener = Deno.listen({ transport: "unix", path: agent });
      const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
      await using engine = project.engine({ plugins, env: { TOKEN: CANARY, SSH_AUTH_SOCK: agent } });
      await assert.rejects(engine.build(), {
        code: "BUILDER_UNAVAILABLE",
        message: `Cannot build app/install: builder "fake" does not offer \`${what}\``,
      });
    });
  }
});

Deno.test("a value that stands in the dappfile stops the build", async () => {
  const dappfile = app("[{ id: npm, env: TOKEN }]", `["say \${{ env.TOKEN }}"]`);
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { env: { TOKEN: CANARY } });
    await assert.rejects(engine.build(), (error: EngineError) => {
      assert.match(error.message, /^Cannot build app: the value of secret "npm" stands in its commands/);
      assert.match(error.fix, /\/run\/secrets\/npm/);
      return true;
    });
    assert.deepEqual(log.ran, []);
  });
});

Deno.test("a secret that is too short to be masked is said", async () => {
  await withProject({ "dappfile.yaml": app("[{ id: pin, env: PIN }]", `["nothing"]`) }, async (project) => {
    await using engine = engineOf(project, new FakeBuilderLog(), { env: { PIN: "123" } });
    await engine.build();
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    assert.ok(notes.some((text) => /^Secret pin is too short/.test(text)), notes.join("\n"));
  });
});

Deno.test("the login of a proxy is masked where a command prints it", async () => {
  const dappfile = `dimg: app
from: scratch
shell: { install: [say the proxy is http://ann:${CANARY}@proxy.test:3128 and nocolon@proxy.test] }
`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const env = { HTTPS_PROXY: `http://ann:${CANARY}@proxy.test:3128`, http_proxy: "nocolon@proxy.test" };
    await using engine = engineOf(project, new FakeBuilderLog(), { env });
    await engine.build();
    const output = project.events.flatMap((event) => event.type === "stage.output" ? [event.text] : []).join(
      "",
    );
    assert.match(output, /the proxy is http:\/\/\*\*\*proxy\.test:3128 and nocolon@proxy\.test/);
    assert.ok(!JSON.stringify(project.events).includes(CANARY));
  });
});
