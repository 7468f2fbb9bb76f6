/** However long a value is that somebody gives, what is said of it can be read. */
import assert from "node:assert/strict";
import { EngineError } from "../../mod.ts";
import { dapp } from "./support.ts";

const LONG = `First${"o".repeat(10_000)}last`;

const lines: readonly (readonly string[])[] = [
  [LONG],
  ["dimg", "build", `--${LONG}`],
  ["dimg", "build", "--parallel", LONG],
  ["dimg", "build", `--color=${LONG}`],
  ["dimg", "run", "app", LONG],
  ["help", LONG],
  ["completion", LONG],
  ["migrate", LONG],
];

for (const args of lines) {
  Deno.test(`dapp ${args.map((arg) => arg.replace(LONG, "LONG")).join(" ")} says so in few characters`, async () => {
    const { code, stderr } = await dapp(args, {});
    assert.equal(code, 2);
    assert.match(stderr, /First/);
    assert.ok(stderr.length < 2000, `${stderr.length}`);
  });
}

Deno.test("errors, their problems and notes of the engine are as short, in text and as JSON", async (t) => {
  const engine = ({ onEvent }: { onEvent?: (event: never) => void }) => ({
    config: () => {
      onEvent?.({ type: "note", level: "warn", text: `"${LONG}" is odd`, time: "" } as never);
      throw new EngineError("CONFIG_INVALID", `Cannot use "${LONG}"`, {
        fix: `Leave ${LONG} out`,
        cause: new Error(`because of ${LONG}`),
        problems: [{
          file: "dappfile.yaml",
          line: 1,
          column: 1,
          path: LONG,
          message: `"${LONG}" is wrong`,
          hint: `No ${LONG}`,
        }],
      });
    },
  });
  for (const flags of [[], ["--json"], ["--json=events"], ["--verbose"]]) {
    await t.step(flags.join(" "), async () => {
      const { code, stdout, stderr } = await dapp(["config", "check", ...flags], { engine: engine as never });
      assert.equal(code, 2);
      assert.match(stderr + stdout, /characters more/);
      assert.ok(stdout.length + stderr.length < 8000, `${stdout.length} ${stderr.length}`);
    });
  }
});
